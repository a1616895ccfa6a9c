/// How a list is to be sorted, with `sort` and `dir` of the query.
struct SortRequest<Order: RawRepresentable & CaseIterable> where Order.RawValue == String {
    private(set) var order: Order
    private(set) var isAscending = false
    /// What is wrong with the query.
    private(set) var problems: [APIError.Problem] = []

    /// - Parameter usual: the order where none is asked for.
    init(_ exchange: Exchange, usual: Order) {
        order = usual
        if let text = exchange.query("sort"), !text.isEmpty {
            if let order = Order(rawValue: text) {
                self.order = order
            } else {
                let known = Order.allCases.map(\.rawValue).joined(separator: ", ")
                problems.append(.init(field: "sort", message: "must be one of \(known)"))
            }
        }
        switch exchange.query("dir") ?? "" {
        case "", "desc": break
        case "asc": isAscending = true
        default: problems.append(.init(field: "dir", message: "must be asc or desc"))
        }
    }
}

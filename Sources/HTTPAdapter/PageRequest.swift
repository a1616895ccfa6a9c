import JSONValue

/// Which page of a list is asked for, with `page` (from 1) and `pageSize` of the query.
struct PageRequest {
    static let defaultSize = 20
    /// A larger `pageSize` is taken as this.
    static let sizeLimit = 100
    private static let numberLimit = 1_000_000_000

    let number: Int
    let size: Int

    var offset: Int { (number - 1) * size }

    /// - Throws: `APIError` 422 for anything that is no whole number from 1.
    init(_ exchange: Exchange) throws {
        var problems: [APIError.Problem] = []
        func read(_ name: String, default: Int, limit: Int) -> Int {
            guard let text = exchange.query(name), !text.isEmpty else { return `default` }
            guard let number = Int(text), number >= 1 else {
                problems.append(.init(field: name, message: "must be a whole number from 1"))
                return `default`
            }
            return min(number, limit)
        }
        number = read("page", default: 1, limit: Self.numberLimit)
        size = read("pageSize", default: Self.defaultSize, limit: Self.sizeLimit)
        guard problems.isEmpty else { throw APIError.invalid(problems) }
    }

    /// The shape of every list.
    /// - Parameter alias: a second name for `data`, for clients that know it by that.
    func page(_ rows: [JSON], total: Int, alias: String? = nil) -> JSON {
        var page: JSONObject = ["data": .array(rows)]
        if let alias { page[alias] = .array(rows) }
        page["total"] = .int(Int64(total))
        page["page"] = .int(Int64(number))
        page["pageSize"] = .int(Int64(size))
        page["totalPages"] = .int(Int64((total + size - 1) / size))
        return .object(page)
    }
}

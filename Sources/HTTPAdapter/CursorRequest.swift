import JSONValue

/// Which page of a long list is asked for, with `limit` and `cursor` of the query: the cursor of a page is where the next
/// one begins, so that nothing is shown twice or left out while the list grows.
struct CursorRequest<Position: LosslessStringConvertible> {
    let limit: Int
    /// Nil begins at the start.
    let position: Position?

    /// - Parameters:
    ///   - usual: the limit where none is given.
    ///   - most: a larger limit is taken as this.
    /// - Throws: `APIError` 422 for a limit that is no whole number from 1 and a cursor that was never given out.
    init(_ exchange: Exchange, usual: Int, most: Int) throws {
        var problems: [APIError.Problem] = []
        var limit = usual
        if let text = exchange.query("limit"), !text.isEmpty {
            if let number = Int(text), number >= 1 {
                limit = min(number, most)
            } else {
                problems.append(.init(field: "limit", message: "must be a whole number from 1"))
            }
        }
        self.limit = limit
        let text = exchange.query("cursor") ?? ""
        position = text.isEmpty ? nil : Position(text)
        if position == nil, !text.isEmpty {
            problems.append(.init(field: "cursor", message: "must be the cursor of an earlier page"))
        }
        guard problems.isEmpty else { throw APIError.invalid(problems) }
    }

    /// The shape of such a list.
    func page(_ rows: [JSON], next: Position?) -> JSON {
        [
            "data": .array(rows), "cursor": next.map { .string("\($0)") } ?? .null, "hasMore": .bool(next != nil),
        ]
    }
}

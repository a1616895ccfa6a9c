/// A statement made at run time, and what is bound to its question marks in their order. Values never stand in the text.
struct SQLText {
    private(set) var text = ""
    private(set) var values: [any SQLBindable] = []

    init(_ text: StaticString = "", _ values: any SQLBindable...) {
        self.text = text.description
        self.values = values
    }

    /// - Parameter text: with one question mark for each of the values.
    mutating func append(_ text: StaticString, _ values: any SQLBindable...) {
        self.text += text.description
        self.values += values
    }

    mutating func append(_ other: SQLText) {
        text += other.text
        values += other.values
    }

    static func + (left: SQLText, right: SQLText) -> SQLText {
        var sum = left
        sum.append(right)
        return sum
    }
}

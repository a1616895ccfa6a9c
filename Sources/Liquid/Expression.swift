import JSONValue

// Compiled expressions. What is passed around while rendering is one reference each: copying a struct of several parts for
// every output would cost more than the output.

/// What stands where a value is expected.
class Expression: @unchecked Sendable {
    // Every property of every subclass is a constant, and no other class can be made from this one outside of the room.

    func evaluate(_ renderer: Renderer) throws(RenderingError) -> Value { .null }

    /// Whether it is neither nil nor false.
    func isTrue(_ renderer: Renderer) throws(RenderingError) -> Bool { try evaluate(renderer).isTrue }

    /// Prints it without filters.
    func write(_ renderer: Renderer) throws(RenderingError) { try renderer.write(try evaluate(renderer)) }

    /// The text of a literal that is text.
    final var literalText: String? {
        if case .json(.string(let text))? = (self as? Constant)?.literal { text } else { nil }
    }

    final var literalInteger: Int64? {
        if case .json(.int(let number))? = (self as? Constant)?.literal { number } else { nil }
    }
}

/// A value written in the template.
enum Literal: Sendable {
    case json(JSON)
    case empty
    case blank
}

final class Constant: Expression, @unchecked Sendable {
    let literal: Literal

    init(_ literal: Literal) { self.literal = literal }

    override func evaluate(_ renderer: Renderer) throws(RenderingError) -> Value {
        try renderer.spend()
        return Value(literal)
    }
}

/// `(first..last)`
final class RangeExpression: Expression, @unchecked Sendable {
    let first: Expression
    let last: Expression

    init(_ first: Expression, _ last: Expression) {
        self.first = first
        self.last = last
    }

    override func evaluate(_ renderer: Renderer) throws(RenderingError) -> Value {
        try renderer.spend()
        let start = try renderer.bound(try first.evaluate(renderer))
        return .range(IntegerRange(first: start, last: try renderer.bound(try last.evaluate(renderer))))
    }
}

/// A path from a variable into its value.
final class Lookup: Expression, @unchecked Sendable {
    enum Segment: Sendable {
        /// `.key`; may also be `size`, `first` or `last`.
        case key(String)
        /// `[expression]`.
        case index(Expression)
    }

    /// The variable, unless its name is computed.
    let name: Name
    /// `[expression]`: the name is computed.
    let computed: Expression?
    let segments: [Segment]
    /// Those that are keys, up to the first that is none; none of a computed variable.
    let keys: [String]

    init(name: Name = Name(""), computed: Expression? = nil, segments: [Segment]) {
        self.name = name
        self.computed = computed
        self.segments = segments
        var keys: [String] = []
        for case .key(let key) in segments.prefix(while: { if case .key = $0 { true } else { false } }) {
            keys.append(key)
        }
        self.keys = keys
    }

    override func evaluate(_ renderer: Renderer) throws(RenderingError) -> Value {
        try spend(renderer)
        if let place = place(renderer) { return .json(place.pointee) }
        return try longWay(renderer)
    }

    override func isTrue(_ renderer: Renderer) throws(RenderingError) -> Bool {
        try spend(renderer)
        if let place = place(renderer) { return Value.isTrue(place) }
        return try longWay(renderer).isTrue
    }

    override func write(_ renderer: Renderer) throws(RenderingError) {
        try spend(renderer)
        if let place = place(renderer) { return try renderer.write(place) }
        try renderer.write(try longWay(renderer))
    }

    /// Looking for a name passes the arguments of partials and the loop variables one by one.
    @inline(__always)
    private func spend(_ renderer: Renderer) throws(RenderingError) {
        try renderer.spend(1 + renderer.scoped.count / 8 + segments.count)
    }

    /// Where the value stands, if nothing but the keys of objects leads there.
    @inline(__always)
    private func place(_ renderer: Renderer) -> UnsafePointer<JSON>? {
        guard computed == nil, let place = renderer.place(of: self), place.passed == segments.count else { return nil }
        return place.value
    }

    private func longWay(_ renderer: Renderer) throws(RenderingError) -> Value {
        if let computed {
            guard let name = try computed.evaluate(renderer).string else { return .null }
            return try renderer.value(in: renderer.variable(Name(name)), segments, from: 0)
        }
        guard let place = renderer.place(of: self) else {
            return try renderer.value(in: renderer.variable(name), segments, from: 0)
        }
        return try renderer.value(in: .json(place.value.pointee), segments, from: place.passed)
    }
}

/// An expression, its fallback after `??`, and the filters behind it.
final class Pipeline: Sendable {
    let base: Expression
    /// Replaces a nil base before the filters.
    let fallback: String?
    let filters: [FilterCall]
    /// Written behind the filters: replaces the whole when the base is nil.
    let finalFallback: String?
    /// The expression, where it is all.
    var only: Expression? { fallback == nil && filters.isEmpty && finalFallback == nil ? base : nil }

    init(base: Expression, fallback: String? = nil, filters: [FilterCall] = [], finalFallback: String? = nil) {
        self.base = base
        self.fallback = fallback
        self.filters = filters
        self.finalFallback = finalFallback
    }
}

/// One filter with its arguments.
final class FilterCall: Sendable {
    let filter: Filter
    let first: Expression?
    let second: Expression?
    /// The keyword argument of `default`.
    let allowFalse: Expression?

    /// - Parameter arguments: no filter takes more than two.
    init(_ filter: Filter, _ arguments: [Expression], allowFalse: Expression?) {
        self.filter = filter
        first = arguments.first
        second = arguments.count > 1 ? arguments[1] : nil
        self.allowFalse = allowFalse
    }
}

/// `left`, or `left operator right`.
final class Comparison: Sendable {
    enum Operator: Sendable { case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, contains }

    let left: Expression
    let relation: Operator
    let right: Expression?

    init(_ left: Expression, _ relation: Operator = .equal, _ right: Expression? = nil) {
        self.left = left
        self.relation = relation
        self.right = right
    }
}

/// Comparisons joined by `and` and `or`, which associate to the right whatever they are. Kept flat so that a long
/// chain needs no stack.
final class Condition: Sendable {
    enum Relation: Sendable { case and, or }

    let first: Comparison
    /// Those behind the first, each with what joins it to the one before.
    let others: [(relation: Relation, comparison: Comparison)]

    init(_ first: Comparison, _ others: [(relation: Relation, comparison: Comparison)]) {
        self.first = first
        self.others = others
    }
}

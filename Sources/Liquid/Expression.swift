import JSONValue

// Compiled expressions. What is passed around while rendering is one reference each: copying a struct of several parts for
// every output would cost more than the output.

/// What stands where a value is expected.
class Expression: @unchecked Sendable {
    // Every property of every subclass is a constant, and no other class can be made from this one outside of the room.

    func evaluate(_ renderer: Renderer) throws(RenderingError) -> Value { .null }

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
    /// The key, where it is the only segment: most lookups are `item.name`.
    private let onlyKey: String?

    init(name: Name = Name(""), computed: Expression? = nil, segments: [Segment]) {
        self.name = name
        self.computed = computed
        self.segments = segments
        if segments.count == 1, case .key(let key) = segments[0] { onlyKey = key } else { onlyKey = nil }
    }

    override func evaluate(_ renderer: Renderer) throws(RenderingError) -> Value {
        // Looking for a name passes the arguments of partials and the loop variables one by one.
        try renderer.spend(1 + renderer.frame.scoped.count / 8 + segments.count)
        guard computed == nil else { return try evaluateComputed(renderer) }
        if let onlyKey, let member = renderer.member(onlyKey, of: name) { return .json(member) }
        let root = renderer.variable(name)
        return segments.isEmpty ? root : try renderer.value(in: root, segments)
    }

    private func evaluateComputed(_ renderer: Renderer) throws(RenderingError) -> Value {
        guard let name = try computed?.evaluate(renderer).string else { return .null }
        return try renderer.value(in: renderer.variable(Name(name)), segments)
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
    let arguments: [Expression]
    /// The keyword argument of `default`.
    let allowFalse: Expression?

    init(_ filter: Filter, _ arguments: [Expression], allowFalse: Expression?) {
        self.filter = filter
        self.arguments = arguments
        self.allowFalse = allowFalse
    }
}

/// `left`, or `left operator right`.
struct Comparison: Sendable {
    enum Operator: Sendable { case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, contains }

    var left: Expression
    var right: (Operator, Expression)?
}

/// Comparisons joined by `and` and `or`, which associate to the right whatever they are. Kept flat so that a long
/// chain needs no stack.
final class Condition: Sendable {
    enum Relation: Sendable { case and, or }

    let comparisons: [Comparison]
    /// One less than comparisons.
    let relations: [Relation]

    init(comparisons: [Comparison], relations: [Relation]) {
        self.comparisons = comparisons
        self.relations = relations
    }
}

import JSONValue

/// What stands where a value is expected.
indirect enum Expression: Sendable {
    case literal(Literal)
    case lookup(Lookup)
    case range(Expression, Expression)
}

/// A value written in the template.
enum Literal: Sendable {
    case json(JSON)
    case empty
    case blank
}

/// A path from a variable into its value.
struct Lookup: Sendable {
    enum Root: Sendable {
        case name(String)
        /// `[expression]`: the name is computed.
        case computed(Expression)
    }

    enum Segment: Sendable {
        /// `.key`; may also be `size`, `first` or `last`.
        case key(String)
        /// `[expression]`.
        case index(Expression)
    }

    var root: Root
    var segments: [Segment]
}

/// An expression, its fallback after `??`, and the filters behind it.
struct Pipeline: Sendable {
    var base: Expression
    /// Replaces a nil base before the filters.
    var fallback: String?
    var filters: [FilterCall] = []
    /// Written behind the filters: replaces the whole when the base is nil.
    var finalFallback: String?
}

/// One filter with its arguments.
struct FilterCall: Sendable {
    var filter: Filter
    var arguments: [Expression]
    /// The keyword argument of `default`.
    var allowFalse: Expression?
}

/// `left`, or `left operator right`.
struct Comparison: Sendable {
    enum Operator: Sendable { case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, contains }

    var left: Expression
    var right: (Operator, Expression)?
}

/// Comparisons joined by `and` and `or`, which associate to the right whatever they are. Kept flat so that a long
/// chain needs no stack.
struct Condition: Sendable {
    enum Relation: Sendable { case and, or }

    var comparisons: [Comparison]
    /// One less than comparisons.
    var relations: [Relation]
}

/// One part of a compiled template.
struct Node: Sendable {
    var content: Content
    /// Where it stands, for errors.
    var line: Int

    indirect enum Content: Sendable {
        case text(String)
        case output(Pipeline)
        case assign(String, Pipeline)
        case capture(String, [Node])
        case conditional([Branch])
        case choice(Expression, [ChoiceBranch])
        case loop(Loop)
        case table(Loop)
        case cycle(Cycle)
        case count(String, Counting)
        case interrupt(Interrupt)
        case include(PartialCall)
        case render(PartialCall)
        case ifChanged([Node])
    }

    /// Blocks that hold only blank nodes drop their white space.
    var isBlank: Bool {
        switch content {
        case .text(let text): text.utf8.allSatisfy(\.isBlank)
        case .assign, .capture: true
        case .conditional(let branches): branches.allSatisfy { $0.body.isBlank }
        case .choice(_, let branches): branches.allSatisfy { $0.body.isBlank }
        case .loop(let loop): loop.body.isBlank && loop.otherwise.isBlank
        default: false
        }
    }
}

extension [Node] {
    var isBlank: Bool { allSatisfy(\.isBlank) }

    func withoutText() -> [Node] { filter { if case .text = $0.content { false } else { true } } }
}

/// One arm of `if` or `unless`; no condition is `else`.
struct Branch: Sendable {
    var condition: Condition?
    var negated = false
    var body: [Node]
}

/// One arm of `case`; no values is `else`.
struct ChoiceBranch: Sendable {
    var values: [Expression]?
    var body: [Node]
}

/// `for` or `tablerow`.
struct Loop: Sendable {
    enum Offset: Sendable {
        case value(Expression)
        /// Where the last loop of the same name stopped.
        case resume
    }

    var variable: String
    var collection: Expression
    /// `variable-collection`, the key of `offset: continue`.
    var name: String
    var limit: Expression?
    var offset: Offset?
    var columns: Expression?
    var reversed = false
    var body: [Node] = []
    var otherwise: [Node] = []
}

struct Cycle: Sendable {
    enum Group: Sendable {
        case named(Expression)
        /// The text of the values.
        case unnamed(String)
    }

    var group: Group
    var values: [Expression]
}

/// The two counter tags differ in the moment of printing.
enum Counting: Sendable { case increment, decrement }

enum Interrupt: Sendable { case breakLoop, continueLoop }

/// `include` or `render`.
struct PartialCall: Sendable {
    var name: Expression
    /// `with` or `for`.
    var bound: Expression?
    /// `for` instead of `with`.
    var repeats = false
    var alias: String?
    var arguments: [(String, Expression)] = []
}

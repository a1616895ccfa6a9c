import JSONValue

/// One part of a compiled template.
class Node: @unchecked Sendable {
    // Every property of every subclass is a constant, and no other class can be made from this one outside of the room.

    /// Where it stands, for errors.
    let line: Int

    init(line: Int) { self.line = line }

    func render(_ renderer: Renderer) throws(RenderingError) {}

    /// Blocks that hold only blank nodes drop their white space.
    var isBlank: Bool { false }
}

final class TextNode: Node, @unchecked Sendable {
    /// UTF-8.
    let bytes: [UInt8]

    init(_ bytes: [UInt8], line: Int) {
        self.bytes = bytes
        super.init(line: line)
    }

    override func render(_ renderer: Renderer) throws(RenderingError) { try renderer.append(bytes) }
    override var isBlank: Bool { bytes.allSatisfy(\.isBlank) }
}

/// An output or `echo` without filters and fallbacks.
final class ExpressionNode: Node, @unchecked Sendable {
    let expression: Expression

    init(_ expression: Expression, line: Int) {
        self.expression = expression
        super.init(line: line)
    }

    override func render(_ renderer: Renderer) throws(RenderingError) { try expression.write(renderer) }
}

/// Any other.
final class OutputNode: Node, @unchecked Sendable {
    let pipeline: Pipeline

    init(_ pipeline: Pipeline, line: Int) {
        self.pipeline = pipeline
        super.init(line: line)
    }

    override func render(_ renderer: Renderer) throws(RenderingError) {
        try renderer.write(try renderer.evaluate(pipeline))
    }
}

final class ConditionalNode: Node, @unchecked Sendable {
    private let branches: [Branch]
    // Those of the first branch, which is most often the only one: out of the array they would be retained.
    private let condition: Condition
    private let negated: Bool
    private let body: [Node]

    /// - Parameter branches: the first has a condition.
    init(_ branches: [Branch], line: Int) {
        self.branches = branches
        condition = branches.first?.condition ?? Condition(Comparison(Constant(.json(true))), [])
        negated = branches.first?.negated ?? false
        body = branches.first?.body ?? []
        super.init(line: line)
    }

    override func render(_ renderer: Renderer) throws(RenderingError) {
        if try renderer.isTrue(condition) != negated { return try renderer.render(body) }
        for branch in branches.dropFirst() {
            if let condition = branch.condition, try renderer.isTrue(condition) == branch.negated { continue }
            return try renderer.render(branch.body)
        }
    }

    override var isBlank: Bool { branches.allSatisfy { $0.body.isBlank } }
}

final class LoopNode: Node, @unchecked Sendable {
    let loop: Loop

    init(_ loop: Loop, line: Int) {
        self.loop = loop
        super.init(line: line)
    }

    override func render(_ renderer: Renderer) throws(RenderingError) { try renderer.loop(loop) }
    override var isBlank: Bool { loop.body.isBlank && loop.otherwise.isBlank }
}

/// The tags that there are few of.
final class TagNode: Node, @unchecked Sendable {
    enum Content: Sendable {
        case assign(Name, Pipeline)
        case capture(Name, [Node])
        case choice(Expression, [ChoiceBranch])
        case table(Loop)
        case cycle(Cycle)
        case count(String, Counting)
        case interrupt(Interrupt)
        case include(PartialCall)
        case render(PartialCall)
        case ifChanged([Node])
    }

    let content: Content

    init(_ content: Content, line: Int) {
        self.content = content
        super.init(line: line)
    }

    override func render(_ renderer: Renderer) throws(RenderingError) { try renderer.render(content) }

    override var isBlank: Bool {
        switch content {
        case .assign, .capture: true
        case .choice(_, let branches): branches.allSatisfy { $0.body.isBlank }
        default: false
        }
    }
}

extension [Node] {
    var isBlank: Bool { allSatisfy(\.isBlank) }

    func withoutText() -> [Node] { filter { !($0 is TextNode) } }
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

    var variable: Name
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

import JSONValue

/// One rendering: walks the nodes and appends to one buffer.
///
/// Every loop and every recursion passes `spend`, `turn` or `nested`, so that no template and no data can keep it
/// busy or full for ever; see `RenderLimits`.
final class Renderer {
    let options: RenderOptions
    // The exclusivity of these is not checked while running: nobody else has the renderer, and no access overlaps another.
    @exclusivity(unchecked) var output: OutputBuffer
    @exclusivity(unchecked) var frame = Frame()
    /// Loop variables and arguments of partials.
    @exclusivity(unchecked) var scoped = ScopedVariables()
    /// The caller's variables; they lose against everything else.
    let data: JSONObject
    /// What `offset: continue`, `cycle` and `ifchanged` remember for the whole rendering.
    var loopOffsets: [String: Int] = [:]
    var cycles: [String: Int] = [:]
    /// The last cycle, which is not among them.
    @exclusivity(unchecked) private var lastCycle: (key: String, position: Int)?
    var lastChanged: String?
    @exclusivity(unchecked) var interrupt: Interrupt?

    @exclusivity(unchecked) private var workLeft: Int
    @exclusivity(unchecked) private var memoryLeft: Int
    @exclusivity(unchecked) private var turnsLeft: Int
    @exclusivity(unchecked) private var depth = 0
    /// Where we are, for errors.
    var templateName: String
    @exclusivity(unchecked) private var line = 1
    private let nodes: [Node]
    /// Whether anything asks where a loop stopped.
    let remembersOffsets: Bool

    init(template: Template, variables: JSONObject, options: RenderOptions) {
        self.options = options
        data = variables
        // Most of a text comes from the template, and some from the variables.
        output = OutputBuffer(capacity: template.sourceBytes * 2 + 16)
        remembersOffsets = template.resumesLoops || options.partials.values.contains { $0.resumesLoops }
        workLeft = options.limits.work
        memoryLeft = options.limits.memoryBytes
        turnsLeft = options.limits.loopTurns
        templateName = template.name
        nodes = template.nodes
    }

    func run() throws(RenderingError) -> String {
        try render(nodes)
        return output.text()
    }

    // MARK: Limits

    func error(_ code: RenderingError.Code, _ message: String) -> RenderingError {
        RenderingError(code: code, message: message, template: templateName, line: line)
    }

    /// Counts evaluations.
    func spend(_ work: Int = 1) throws(RenderingError) {
        workLeft -= work
        if workLeft < 0 { throw error(.tooMuchWork, "rendering takes too much work") }
    }

    /// Counts reading `bytes` of text.
    func spend(bytes: Int) throws(RenderingError) { try spend(1 + bytes / 16) }

    /// Counts text or elements before they are made.
    func allocate(bytes: Int) throws(RenderingError) {
        memoryLeft -= bytes
        if memoryLeft < 0 { throw error(.tooMuchMemory, "the values of this template take too much memory") }
    }

    func allocate(elements: Int) throws(RenderingError) {
        try allocate(bytes: elements * MemoryLayout<JSON>.stride)
        try spend(elements)
    }

    func turn() throws(RenderingError) {
        turnsLeft -= 1
        if turnsLeft < 0 {
            throw error(.tooManyTurns, "the loops make more than \(options.limits.loopTurns) turns")
        }
    }

    // MARK: Nodes

    func render(_ nodes: [Node]) throws(RenderingError) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= options.limits.depth else {
            throw error(.tooDeep, "blocks and partials are nested deeper than \(options.limits.depth)")
        }
        // The array keeps its nodes: retaining each of them for its turn would cost as much as many a turn.
        let failure = nodes.withUnsafeBufferPointer { nodes -> RenderingError? in
            for position in nodes.indices {
                let failure = Unmanaged.passUnretained(nodes[position])._withUnsafeGuaranteedRef { render($0) }
                if failure != nil || interrupt != nil { return failure }
            }
            return nil
        }
        if let failure { throw failure }
    }

    private func render(_ node: Node) -> RenderingError? {
        do throws(RenderingError) {
            line = node.line
            try spend()
            try node.render(self)
            return nil
        } catch {
            return error
        }
    }

    func render(_ content: TagNode.Content) throws(RenderingError) {
        switch content {
        case .assign(let name, let pipeline): frame.assign(name, try evaluate(pipeline))
        case .capture(let name, let body): frame.assign(name, try capture(body))
        case .choice(let subject, let branches): try choice(subject, branches)
        case .table(let loop): try table(loop)
        case .cycle(let cycle): try self.cycle(cycle)
        case .count(let name, let counting): try count(name, counting)
        case .interrupt(let kind): interrupt = kind
        case .include(let call): try include(call)
        case .render(let call): try isolated(call)
        case .ifChanged(let body): try ifChanged(body)
        }
    }

    /// What the body prints, as a value.
    private func capture(_ body: [Node]) throws(RenderingError) -> Value {
        let text = try printed(body)
        return options.escaping == .html ? .markup(text) : .json(.string(text))
    }

    /// Renders aside. An interrupt inside still counts outside.
    private func printed(_ body: [Node]) throws(RenderingError) -> String {
        let start = output.count
        try render(body)
        try allocate(bytes: output.count - start)
        let text = output.text(from: start)
        output.remove(to: start)
        return text
    }

    /// As in the reference implementation every matching value renders its branch once, and `else` renders as long as
    /// nothing has matched.
    private func choice(_ subject: Expression, _ branches: [ChoiceBranch]) throws(RenderingError) {
        let subject = try evaluate(subject)
        var matched = false
        for branch in branches {
            guard let values = branch.values else {
                if !matched { try render(branch.body) }
                if interrupt != nil { return }
                continue
            }
            for value in values where try equal(subject, try evaluate(value)) {
                matched = true
                try render(branch.body)
                if interrupt != nil { return }
            }
        }
    }

    private func cycle(_ cycle: Cycle) throws(RenderingError) {
        let key: String
        switch cycle.group {
        case .named(let name): key = "=" + (try text(try evaluate(name)))
        case .unnamed(let text): key = text
        }
        if lastCycle?.key != key {
            if let lastCycle { cycles[lastCycle.key] = lastCycle.position }
            lastCycle = (key, cycles[key] ?? 0)
        }
        let position = lastCycle?.position ?? 0
        if position < cycle.values.count { try cycle.values[position].write(self) }
        lastCycle?.position = position + 1 >= cycle.values.count ? 0 : position + 1
        try allocate(bytes: 64 + key.utf8.count)
    }

    private func count(_ name: String, _ counting: Counting) throws(RenderingError) {
        let value = frame.counters[name] ?? (frame.isIsolated ? nil : data[name]?.intValue) ?? 0
        // Wrapping cannot be reached by counting; it can by data at the edge of 64 bits.
        let printed = counting == .increment ? value : value &- 1
        frame.counters[name] = counting == .increment ? value &+ 1 : printed
        try append(literal: String(printed))
    }

    private func ifChanged(_ body: [Node]) throws(RenderingError) {
        let text = try printed(body)
        guard text != lastChanged else { return }
        lastChanged = text
        try append(literal: text)
    }
}

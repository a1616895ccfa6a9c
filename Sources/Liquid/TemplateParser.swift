/// Turns tokens into nodes.
///
/// One parser walks one stream of tokens at a time; the lines of a `liquid` tag are a stream of their own, which is
/// why a block opened in them must end in them.
struct TemplateParser {
    let source: SourceText
    var mentions = MentionCollector()
    /// Whether a loop goes on where another stopped.
    var resumesLoops = false
    private var tokens: [Token] = []
    private var position = 0
    private var depth = 0

    init(source: String, name: String) throws(TemplateSyntaxError) {
        guard source.utf8.count <= Template.sourceByteLimit else {
            throw TemplateSyntaxError(
                template: name, line: 1, column: 1,
                message: "the template is longer than \(Template.sourceByteLimit) bytes")
        }
        self.source = SourceText(source, name: name)
    }

    mutating func parse() throws(TemplateSyntaxError) -> [Node] {
        tokens = try Tokenizer.tokens(of: source)
        let (nodes, end) = try block(until: [])
        if let end { throw unexpected(end) }
        return nodes
    }

    // MARK: Blocks

    /// Nodes up to one of the tags in `ends`, which is passed and answered; nil at the end of the stream.
    mutating func block(until ends: Set<String>) throws(TemplateSyntaxError) -> ([Node], Token?) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Template.nestingLimit else {
            let start = position < tokens.count ? tokens[position].start : source.bytes.count
            throw source.error("blocks are nested deeper than \(Template.nestingLimit)", at: start)
        }
        var nodes: [Node] = []
        while position < tokens.count {
            let token = tokens[position]
            position += 1
            switch token.kind {
            case .text: nodes.append(TextNode(Array(source.bytes[token.range]), line: line(token)))
            case .output:
                // In a variable of its own, as in `tag`.
                let node = try output(token)
                nodes.append(node)
            case .tag:
                if ends.contains(token.name) { return (nodes, token) }
                try tag(token, into: &nodes)
            }
        }
        return (nodes, nil)
    }

    /// Like `block`, for a block that must be closed.
    mutating func closedBlock(
        until ends: Set<String>, of opening: Token
    ) throws(TemplateSyntaxError) -> ([Node], Token) {
        let (nodes, end) = try block(until: ends)
        guard let end else {
            throw source.error("\(opening.name) is not closed with end\(opening.name)", at: opening.start)
        }
        return (nodes, end)
    }

    /// Parses the inside of a token to its end.
    mutating func markup<Result>(
        _ token: Token, _ parse: (inout ExpressionParser) throws(TemplateSyntaxError) -> Result
    ) throws(TemplateSyntaxError) -> Result {
        var parser = ExpressionParser(source: source, range: token.range)
        let result = try parse(&parser)
        try parser.finish()
        mentions.add(parser.lookups, in: source)
        return result
    }

    private mutating func pipeline(_ token: Token) throws(TemplateSyntaxError) -> Pipeline {
        try markup(token) { parser throws(TemplateSyntaxError) in try parser.pipeline() }
    }

    private mutating func output(_ token: Token) throws(TemplateSyntaxError) -> Node {
        let pipeline = try pipeline(token)
        if let only = pipeline.only { return ExpressionNode(only, line: line(token)) }
        return OutputNode(pipeline, line: line(token))
    }

    private func line(_ token: Token) -> Int { source.line(at: token.start) }

    private func unexpected(_ token: Token) -> TemplateSyntaxError {
        source.error("\(token.name) does not belong here", at: token.start)
    }

    // MARK: Tags

    private mutating func tag(_ token: Token, into nodes: inout [Node]) throws(TemplateSyntaxError) {
        if token.name == "liquid" {
            nodes += try liquid(token)
            return
        }
        // In a variable of its own: as an argument it would be made while `self` is borrowed, and everything
        // collected so far would be copied for every tag.
        let node = try node(of: token)
        nodes.append(node)
    }

    private mutating func node(of token: Token) throws(TemplateSyntaxError) -> Node {
        switch token.name {
        case "echo": return try output(token)
        case "if", "unless": return ConditionalNode(try conditional(token), line: line(token))
        case "for": return LoopNode(try forLoop(token), line: line(token))
        default: return TagNode(try content(of: token), line: line(token))
        }
    }

    private mutating func content(of token: Token) throws(TemplateSyntaxError) -> TagNode.Content {
        switch token.name {
        case "assign": return try assign(token)
        case "capture": return try capture(token)
        case "case": return try choice(token)
        case "tablerow": return .table(try tableRow(token))
        case "cycle": return .cycle(try cycle(token))
        case "increment", "decrement": return try count(token)
        case "break", "continue":
            _ = try markup(token) { _ in }
            return .interrupt(token.name == "break" ? .breakLoop : .continueLoop)
        case "include": return .include(try partialCall(token))
        case "render": return .render(try partialCall(token))
        case "ifchanged": return .ifChanged(try closedBlock(until: ["endifchanged"], of: token).0)
        case "else", "elsif", "when": throw unexpected(token)
        case _ where token.name.hasPrefix("end"): throw unexpected(token)
        default: throw source.error("there is no tag \"\(token.name)\"", at: token.start)
        }
    }

    private mutating func liquid(_ token: Token) throws(TemplateSyntaxError) -> [Node] {
        let outer = (tokens, position)
        tokens = try LiquidLines.tokens(in: token.range, of: source)
        position = 0
        let (nodes, _) = try block(until: [])
        (tokens, position) = outer
        return nodes
    }

    private mutating func assign(_ token: Token) throws(TemplateSyntaxError) -> TagNode.Content {
        let (name, value) = try markup(token) { parser throws(TemplateSyntaxError) in
            let name = try Self.newName(&parser)
            guard parser.skip("=") else { throw parser.error("expected = after the name") }
            return (name, try parser.pipeline())
        }
        mentions.define(name)
        return .assign(Name(name), value)
    }

    /// A name a template may give to a value of its own.
    static func newName(_ parser: inout ExpressionParser) throws(TemplateSyntaxError) -> String {
        parser.skipBlanks()
        let start = parser.offset
        guard let name = parser.word() else { throw parser.error("expected a name") }
        guard !name.hasSuffix("?") else {
            throw parser.source.error("a name that is given a value cannot end with ?", at: start)
        }
        return name
    }

    private mutating func capture(_ token: Token) throws(TemplateSyntaxError) -> TagNode.Content {
        let name = try markup(token) { parser throws(TemplateSyntaxError) in
            parser.skipBlanks()
            // The reference implementation takes the name quoted, too.
            if parser.skip("'") || parser.skip("\"") {
                let name = try Self.newName(&parser)
                guard parser.skip("'") || parser.skip("\"") else { throw parser.error("the quote is not closed") }
                return name
            }
            return try Self.newName(&parser)
        }
        let (body, _) = try closedBlock(until: ["endcapture"], of: token)
        mentions.define(name)
        return .capture(Name(name), body)
    }

    private mutating func count(_ token: Token) throws(TemplateSyntaxError) -> TagNode.Content {
        let name = try markup(token) { parser throws(TemplateSyntaxError) in try Self.newName(&parser) }
        mentions.define(name)
        return .count(name, token.name == "increment" ? .increment : .decrement)
    }

    private mutating func cycle(_ token: Token) throws(TemplateSyntaxError) -> Cycle {
        try markup(token) { parser throws(TemplateSyntaxError) in
            var group: Cycle.Group?
            parser.skipBlanks()
            let start = parser.offset
            var values = [try parser.expression()]
            if parser.skip(":") {
                group = .named(values[0])
                values = [try parser.expression()]
            }
            while parser.skip(",") {
                parser.skipBlanks()
                // A comma behind the last value is nothing.
                if parser.atEnd { break }
                values.append(try parser.expression())
            }
            return Cycle(group: group ?? .unnamed(parser.source.string(start..<parser.offset)), values: values)
        }
    }
}

import JSONValue

/// The tags that hold other nodes: conditions, choices, loops; and the calls of partials.
extension TemplateParser {
    // MARK: if, unless, case

    mutating func conditional(_ opening: Token) throws(TemplateSyntaxError) -> [Branch] {
        let ends: Set = ["elsif", "else", "end\(opening.name)"]
        var branches: [Branch] = []
        var sawElse = false
        var condition: Condition? = try self.condition(opening)
        var negated = opening.name == "unless"
        while true {
            let (body, end) = try closedBlock(until: ends, of: opening)
            // Whatever follows `else` can never be reached; the reference implementation accepts it.
            if !sawElse { branches.append(Branch(condition: condition, negated: negated, body: body)) }
            sawElse = sawElse || condition == nil
            negated = false
            switch end.name {
            case "elsif": condition = try self.condition(end)
            case "else": condition = nil
            default:
                try finish(end)
                return withoutBlankText(branches, \.body)
            }
        }
    }

    private mutating func condition(_ token: Token) throws(TemplateSyntaxError) -> Condition {
        try markup(token) { parser throws(TemplateSyntaxError) in try parser.condition() }
    }

    /// An `end…` tag takes nothing.
    private mutating func finish(_ token: Token) throws(TemplateSyntaxError) { try markup(token) { _ in } }

    /// A tag whose branches are all blank prints nothing but white space, so not even that.
    private func withoutBlankText<Part>(_ parts: [Part], _ body: WritableKeyPath<Part, [Node]>) -> [Part] {
        guard parts.allSatisfy({ $0[keyPath: body].isBlank }) else { return parts }
        return parts.map { part in
            var part = part
            part[keyPath: body] = part[keyPath: body].withoutText()
            return part
        }
    }

    mutating func choice(_ opening: Token) throws(TemplateSyntaxError) -> TagNode.Content {
        let subject = try markup(opening) { parser throws(TemplateSyntaxError) in try parser.expression() }
        let ends: Set = ["when", "else", "endcase"]
        var branches: [ChoiceBranch] = []
        // What stands before the first `when` belongs to no branch.
        var (_, end) = try closedBlock(until: ends, of: opening)
        while end.name != "endcase" {
            let values = end.name == "when" ? try whenValues(end) : nil
            let (body, next) = try closedBlock(until: ends, of: opening)
            branches.append(ChoiceBranch(values: values, body: body))
            end = next
        }
        try finish(end)
        return .choice(subject, withoutBlankText(branches, \.body))
    }

    private mutating func whenValues(_ token: Token) throws(TemplateSyntaxError) -> [Expression] {
        try markup(token) { parser throws(TemplateSyntaxError) in
            var values = [try parser.expression()]
            while parser.skip(",") || parser.skip(word: "or") { values.append(try parser.expression()) }
            // As the reference implementation does, which looks at nothing behind the last value.
            parser.skipRest()
            return values
        }
    }

    // MARK: Loops

    mutating func forLoop(_ opening: Token) throws(TemplateSyntaxError) -> Loop {
        var loop = try loopHead(opening)
        mentions.define(loop.variable.text)
        mentions.define("forloop")
        if case .resume? = loop.offset { resumesLoops = true }
        let (body, end) = try closedBlock(until: ["else", "endfor"], of: opening)
        loop.body = body
        if end.name == "else" {
            let (otherwise, last) = try closedBlock(until: ["endfor"], of: opening)
            loop.otherwise = otherwise
            try finish(last)
        } else {
            try finish(end)
        }
        if loop.body.isBlank, loop.otherwise.isBlank {
            loop.body = loop.body.withoutText()
            loop.otherwise = loop.otherwise.withoutText()
        }
        return loop
    }

    mutating func tableRow(_ opening: Token) throws(TemplateSyntaxError) -> Loop {
        var loop = try loopHead(opening)
        mentions.define(loop.variable.text)
        mentions.define("tablerowloop")
        let (body, end) = try closedBlock(until: ["endtablerow"], of: opening)
        try finish(end)
        loop.body = body
        return loop
    }

    /// `variable in collection`, then `reversed`, `limit: n`, `offset: n`, `offset: continue`, `cols: n` in any order.
    private mutating func loopHead(_ token: Token) throws(TemplateSyntaxError) -> Loop {
        try markup(token) { parser throws(TemplateSyntaxError) in
            guard let variable = parser.word() else { throw parser.error("expected a name") }
            guard parser.skip(word: "in") else { throw parser.error("expected in") }
            parser.skipBlanks()
            let start = parser.offset
            let collection = try parser.expression()
            let name = "\(variable)-\(parser.source.string(start..<parser.offset))"
            var loop = Loop(variable: Name(variable), collection: collection, name: name)
            while true {
                _ = parser.skip(",")
                parser.skipBlanks()
                if parser.atEnd { return loop }
                try Self.loopAttribute(&parser, of: &loop, isTable: token.name == "tablerow")
            }
        }
    }

    private static func loopAttribute(
        _ parser: inout ExpressionParser, of loop: inout Loop, isTable: Bool
    ) throws(TemplateSyntaxError) {
        let start = parser.offset
        switch parser.word() {
        case "reversed" where !isTable:
            loop.reversed = true
        case "limit" where parser.skip(":"):
            loop.limit = try parser.expression()
        case "cols" where isTable && parser.skip(":"):
            loop.columns = try parser.expression()
        case "offset" where parser.skip(":"):
            if !isTable, parser.skip(word: "continue") {
                loop.offset = .resume
            } else {
                loop.offset = .value(try parser.expression())
            }
        default:
            throw parser.source.error(
                isTable ? "expected limit:, offset: or cols:" : "expected reversed, limit: or offset:", at: start)
        }
    }

    // MARK: Partials

    /// `'name' with value as alias, key: value, …`
    mutating func partialCall(_ token: Token) throws(TemplateSyntaxError) -> PartialCall {
        let call = try markup(token) { parser throws(TemplateSyntaxError) in
            parser.skipBlanks()
            let start = parser.offset
            var call = PartialCall(name: try parser.expression())
            if token.name == "render" {
                guard call.name.literalText != nil else {
                    throw parser.source.error("render needs the name of a partial in quotes", at: start)
                }
            }
            if parser.skip(word: "for") {
                call.repeats = true
                call.bound = try parser.expression()
            } else if parser.skip(word: "with") {
                call.bound = try parser.expression()
            }
            if parser.skip(word: "as") { call.alias = try Self.newName(&parser) }
            while true {
                _ = parser.skip(",")
                parser.skipBlanks()
                if parser.atEnd { return call }
                guard let key = parser.word(), parser.skip(":") else { throw parser.error("expected name: value") }
                call.arguments.append((key, try parser.expression()))
            }
        }
        mentions.addPartial(call.name.literalText, at: token.start, in: source)
        return call
    }
}

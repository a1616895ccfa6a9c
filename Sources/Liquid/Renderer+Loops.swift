import JSONValue

/// `for`, `tablerow`, `include` and `render`.
extension Renderer {
    /// The part of a collection that a loop visits. A range stays one, so that huge ones cost nothing.
    private enum Segment {
        case items(ArraySlice<JSON>)
        case pairs(JSONObject, Range<Int>)
        case numbers(IntegerRange, Range<Int>)

        var count: Int {
            switch self {
            case .items(let items): items.count
            case .pairs(_, let range), .numbers(_, let range): range.count
            }
        }

        func value(at position: Int) -> JSON {
            switch self {
            case .items(let items): items[items.startIndex + position]
            case .pairs(let object, let range):
                .array([.string(object.keys[range.lowerBound + position]), object.values[range.lowerBound + position]])
            case .numbers(let numbers, let range):
                .int(numbers[range.lowerBound + position] ?? 0)
            }
        }
    }

    private func segment(of loop: Loop, from start: Int) throws(RenderingError) -> Segment {
        let collection = try evaluate(loop.collection)
        var limit: Int?
        if let expression = loop.limit {
            let value = try evaluate(expression)
            if !value.isNull { limit = Int(clamping: try integer(value)) }
        }
        func range(_ count: Int) -> Range<Int> {
            let from = min(max(start, 0), count)
            let (end, overflow) = start.addingReportingOverflow(limit ?? .max)
            return from..<max(from, overflow ? (start < 0 ? 0 : count) : min(end, count))
        }
        switch collection {
        case .json(.array(let items)): return .items(items[range(items.count)])
        case .json(.object(let object)): return .pairs(object, range(object.count))
        case .range(let numbers): return .numbers(numbers, range(numbers.count))
        case .json(.string(let text)), .markup(let text):
            // A string is one element, whatever offset and limit say.
            return .items(text.isEmpty ? [] : [.string(text)])
        default: return .items([])
        }
    }

    private func offset(of loop: Loop) throws(RenderingError) -> Int {
        switch loop.offset {
        case nil: return 0
        case .resume: return loopOffsets[loop.name] ?? 0
        case .value(let expression):
            let value = try evaluate(expression)
            return value.isNull ? 0 : Int(clamping: try integer(value))
        }
    }

    func loop(_ loop: Loop) throws(RenderingError) {
        let start = try offset(of: loop)
        let segment = try segment(of: loop, from: start)
        if remembersOffsets { loopOffsets[loop.name] = start.addingReportingOverflow(segment.count).partialValue }
        guard segment.count > 0 else { return try render(loop.otherwise) }
        let state = LoopState(name: loop.name, length: segment.count, parent: frame.loops.last)
        let depth = scoped.count
        frame.loops.append(state)
        scoped.append(.forLoop, .loop(state))
        scoped.append(loop.variable, .null)
        defer {
            frame.loops.removeLast()
            scoped.remove(to: depth)
        }
        while state.index < state.length {
            try turn()
            let position = loop.reversed ? state.length - 1 - state.index : state.index
            scoped.setLast(segment.value(at: position))
            try render(loop.body)
            if endsLoop() { return }
            state.index += 1
        }
    }

    /// Takes the interrupt of the turn: true after `break`.
    private func endsLoop() -> Bool {
        defer { interrupt = nil }
        return interrupt == .breakLoop
    }

    func table(_ loop: Loop) throws(RenderingError) {
        if try !evaluate(loop.collection).isTrue { return }
        let segment = try segment(of: loop, from: try offset(of: loop))
        var columns = segment.count
        if let expression = loop.columns { columns = Int(clamping: try wholeNumber(try evaluate(expression))) }
        let state = LoopState(name: loop.name, length: segment.count, columns: columns)
        let depth = scoped.count
        scoped.append(.tableRowLoop, .loop(state))
        scoped.append(loop.variable, .null)
        defer { scoped.remove(to: depth) }
        try append(literal: "<tr class=\"row1\">\n")
        while state.index < state.length {
            try turn()
            scoped.setLast(segment.value(at: state.index))
            try append(literal: "<td class=\"col\(state.column + 1)\">")
            try render(loop.body)
            try append(literal: "</td>")
            if endsLoop() { break }
            if state.isLastColumn, !state.isLast {
                try append(literal: "</tr>\n<tr class=\"row\(state.row + 2)\">")
            }
            state.index += 1
        }
        try append(literal: "</tr>\n")
    }

    // MARK: Partials

    private func partial(_ call: PartialCall) throws(RenderingError) -> (String, Template) {
        guard let name = try evaluate(call.name).string else {
            throw error(.invalidArgument, "the name of a partial must be text")
        }
        guard let partial = options.partials[name] else { throw error(.unknownPartial, "there is no such partial") }
        return (name, partial)
    }

    private func arguments(_ call: PartialCall) throws(RenderingError) -> [(Name, Value)] {
        var result: [(Name, Value)] = []
        for (name, expression) in call.arguments { result.append((Name(name), try evaluate(expression))) }
        return result
    }

    /// The name under which a partial sees what it is called with: the last part of its own.
    private static func variable(of call: PartialCall, _ name: String) -> String {
        call.alias ?? name.split(separator: "/").last.map(String.init) ?? name
    }

    private func render(_ partial: Template) throws(RenderingError) {
        let outer = templateName
        templateName = partial.name
        try render(partial.nodes)
        templateName = outer
    }

    /// Shares every variable with the caller, both ways. Calls itself once per element when bound to an array.
    func include(_ call: PartialCall) throws(RenderingError) {
        guard !frame.isIsolated else {
            throw error(.includeNotAllowed, "include cannot stand in a partial of render; use render")
        }
        let (name, partial) = try partial(call)
        // Unbound, a variable of the partial's name is taken, as in the reference implementation.
        let bound = if let expression = call.bound { try evaluate(expression) } else { variable(Name(name)) }
        let arguments = try arguments(call)
        let depth = scoped.count
        defer { scoped.remove(to: depth) }
        for (name, value) in arguments { scoped.append(name, value) }
        scoped.append(Name(Self.variable(of: call, name)), bound)
        guard case .json(.array(let items)) = bound else { return try render(partial) }
        for item in items {
            try turn()
            scoped.setLast(item)
            try render(partial)
            if interrupt != nil { return }
        }
    }

    /// The partial sees only its arguments and the caller sees nothing of it.
    func isolated(_ call: PartialCall) throws(RenderingError) {
        let (name, partial) = try partial(call)
        var arguments = try arguments(call)
        let variable = Self.variable(of: call, name)
        let bound: Value? = if let expression = call.bound { try evaluate(expression) } else { nil }
        if call.repeats, let bound, let items = try elements(bound) {
            for (index, item) in items.enumerated() {
                try turn()
                let state = LoopState(name: name, length: items.count, index: index)
                try renderIsolated(partial, arguments + [(.forLoop, .loop(state)), (Name(variable), .json(item))])
            }
            return
        }
        if let bound { arguments.append((Name(variable), bound)) }
        try renderIsolated(partial, arguments)
    }

    /// What `for` goes through; nil when the value is no collection.
    private func elements(_ value: Value) throws(RenderingError) -> [JSON]? {
        switch value {
        case .json(.array(let items)): items
        case .range: try items(value)
        default: nil
        }
    }

    private func renderIsolated(
        _ partial: Template, _ arguments: [(Name, Value)]
    ) throws(RenderingError) {
        try spend(arguments.count)
        let outer = (frame, scoped.open())
        // Also after an error: the loops around take their own variables away from their own frame.
        defer {
            frame = outer.0
            scoped.close(outer.1)
        }
        frame = Frame(isIsolated: true)
        for (name, value) in arguments { scoped.append(name, value) }
        try render(partial)
        interrupt = nil
    }
}

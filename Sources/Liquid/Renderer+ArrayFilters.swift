import JSONValue

/// Filters over collections.
extension Renderer {
    /// The elements of a value: arrays flat, a range's numbers, one element for anything else, none for nil.
    func items(_ value: Value) throws(RenderingError) -> [JSON] {
        switch value {
        case .json(.null), .empty, .blank, .loop: return []
        case .json(.array(let items)):
            try spend(items.count)
            let isFlat = items.allSatisfy { if case .array = $0 { false } else { true } }
            if isFlat { return items }
            var flat: [JSON] = []
            try flatten(items, into: &flat)
            return flat
        case .json(let json): return [json]
        case .markup(let text): return [.string(text)]
        case .range(let range):
            guard range.count <= options.limits.loopTurns else {
                throw error(.tooManyTurns, "the range has more than \(options.limits.loopTurns) elements")
            }
            guard range.count > 0 else { return [] }
            try allocate(elements: range.count)
            return (range.first...range.last).map(JSON.int)
        }
    }

    private func flatten(_ items: [JSON], into flat: inout [JSON]) throws(RenderingError) {
        try allocate(elements: items.count)
        for item in items {
            if case .array(let inner) = item { try flatten(inner, into: &flat) } else { flat.append(item) }
        }
    }

    func json(_ value: Value) throws(RenderingError) -> JSON {
        switch value {
        case .json(let json): json
        case .markup(let text): .string(text)
        case .range: .array(try items(value))
        case .empty, .blank, .loop: .null
        }
    }

    private func array(_ items: [JSON]) throws(RenderingError) -> Value {
        try allocate(elements: items.count)
        return .json(.array(items))
    }

    func arrayFilter(
        _ filter: Filter, _ input: Value, _ arguments: Arguments
    ) throws(RenderingError) -> Value {
        let items = try items(input)
        switch filter {
        case .compact: return try compacted(items, by: arguments.first)
        case .concat:
            guard case .json(.array(let others)) = arguments[0] else { throw invalid("concat needs an array") }
            return try array(items + others)
        case .join: return try joined(items, by: arguments.isEmpty ? " " : try text(arguments[0]))
        case .map: return try mapped(items, to: arguments[0])
        case .reverse: return try array(items.reversed())
        case .sort: return try sorted(items, by: arguments.first, sortOrder)
        case .sortNatural: return try sorted(items, by: arguments.first, naturalOrder)
        case .sum: return try sum(items, of: arguments.first)
        default: return try unique(items, by: arguments.first)
        }
    }

    // MARK: Properties

    /// `item[key]`; the item itself without a key. Text answers the key if it contains it; nil, true, false and
    /// fractions answer nil; whole numbers cannot be asked.
    func property(_ key: Value?, of item: JSON) throws(RenderingError) -> JSON {
        guard let key, !key.isNull else { return key == nil ? item : .null }
        try spend()
        switch item {
        case .object(let object): return key.string.flatMap { object[$0] } ?? .null
        case .string(let text):
            if let part = key.string { return try contains(text, part) ? .string(part) : .null }
            guard case .json(let json) = key, let index = json.intValue else { throw cannotSelect() }
            guard let character = text.unicodeScalars.dropFirst(Int(clamping: max(index, 0))).first, index >= 0 else {
                return .null
            }
            return .string(String(character))
        case .int: throw cannotSelect()
        default: return .null
        }
    }

    private func compacted(_ items: [JSON], by key: Value?) throws(RenderingError) -> Value {
        var kept: [JSON] = []
        for item in items where try !property(key, of: item).isNull { kept.append(item) }
        return try array(kept)
    }

    private func mapped(_ items: [JSON], to key: Value) throws(RenderingError) -> Value {
        var values: [JSON] = []
        for item in items { values.append(try property(key, of: item)) }
        return try array(values)
    }

    private func cannotSelect() -> RenderingError { invalid("cannot select a property of something that has none") }

    // MARK: Selecting

    func selection(
        _ filter: Filter, _ input: Value, _ arguments: Arguments
    ) throws(RenderingError) -> Value {
        let items = try items(input)
        let target: JSON = arguments.count > 1 ? try json(arguments[1]) : .null
        var selected: [JSON] = []
        for (position, item) in items.enumerated() {
            switch item {
            case .null, .bool, .double:
                // The reference implementation gives up on elements that have no properties.
                return filter == .has ? .json(false) : .null
            default: break
            }
            let value = try property(arguments[0], of: item)
            let matches = target.isNull ? Value.json(value).isTrue : try equal(value, target)
            switch filter {
            case .find where matches: return .json(item)
            case .findIndex where matches: return .json(.int(Int64(position)))
            case .has where matches: return .json(true)
            case .where where matches, .reject where !matches: selected.append(item)
            default: break
            }
        }
        switch filter {
        case .find, .findIndex: return .null
        case .has: return .json(false)
        default: return try array(selected)
        }
    }

    private func unique(_ items: [JSON], by key: Value?) throws(RenderingError) -> Value {
        var seen: Set<JSON> = []
        var kept: [JSON] = []
        for item in items {
            let value = try property(key, of: item)
            try spend(JSONWeight.of(value))
            if seen.insert(value).inserted { kept.append(item) }
        }
        return try array(kept)
    }

    // MARK: Joining and adding

    private func joined(_ items: [JSON], by glue: String) throws(RenderingError) -> Value {
        var result = ""
        for (position, item) in items.enumerated() {
            let text = try text(item)
            try spend(bytes: text.utf8.count + glue.utf8.count)
            try allocate(bytes: text.utf8.count + glue.utf8.count)
            if position > 0 { result += glue }
            result += text
        }
        return .json(.string(result))
    }

    private func sum(_ items: [JSON], of key: Value?) throws(RenderingError) -> Value {
        var total = Number.zero
        for item in items {
            let number = Number(.json(try property(key, of: item)))
            total = Number(try calculate(total, .plus, number))
        }
        return total.value
    }

    // MARK: Sorting

    private func sorted(
        _ items: [JSON], by key: Value?, _ order: (JSON, JSON) throws(RenderingError) -> Int
    ) throws(RenderingError) -> Value {
        let key = key.flatMap { $0.isNull ? nil : $0 }
        var keyed: [(key: JSON, item: JSON)] = []
        for item in items { keyed.append((try property(key, of: item), item)) }
        try allocate(elements: 2 * items.count)
        do {
            try keyed.sort { left, right in
                try spend()
                return try order(left.key, right.key) < 0
            }
        } catch let error as RenderingError {
            throw error
        } catch {
            throw invalid("cannot sort")
        }
        return try array(keyed.map(\.item))
    }

    /// Nil goes last.
    private func sortOrder(_ left: JSON, _ right: JSON) throws(RenderingError) -> Int {
        switch (left.isNull, right.isNull) {
        case (true, true): return 0
        case (true, false): return 1
        case (false, true): return -1
        case (false, false): break
        }
        if let order = try order(left, right) { return order }
        if left == right { return 0 }
        throw error(.incomparable, "cannot sort values of different kinds")
    }

    /// As text, ASCII letters without their case.
    private func naturalOrder(_ left: JSON, _ right: JSON) throws(RenderingError) -> Int {
        if left.isNull || right.isNull { return left.isNull ? (right.isNull ? 0 : 1) : -1 }
        let (a, b) = (try text(left), try text(right))
        try spend(bytes: min(a.utf8.count, b.utf8.count))
        func folded(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
        for (one, other) in zip(a.utf8, b.utf8) where folded(one) != folded(other) {
            return folded(one) < folded(other) ? -1 : 1
        }
        return a.utf8.count - b.utf8.count
    }
}

/// How much work hashing or comparing a value is.
private enum JSONWeight {
    static func of(_ value: JSON) -> Int {
        switch value {
        case .string(let text): 1 + text.utf8.count / 16
        case .array(let items): items.reduce(1) { $0 + of($1) }
        case .object(let object): object.values.reduce(1) { $0 + of($1) }
        default: 1
        }
    }
}

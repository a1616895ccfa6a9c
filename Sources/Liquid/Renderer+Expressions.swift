import JSONValue

/// Values of expressions and conditions.
extension Renderer {
    func evaluate(_ pipeline: Pipeline) throws(RenderingError) -> Value {
        var value = try pipeline.base.evaluate(self)
        if value.isNull {
            if let fallback = pipeline.finalFallback { return .json(.string(fallback)) }
            if let fallback = pipeline.fallback { value = .json(.string(fallback)) }
        }
        // The pipeline keeps its filters, as a template its nodes.
        let failure = pipeline.filters.withUnsafeBufferPointer { calls -> RenderingError? in
            for position in calls.indices {
                let failure = Unmanaged.passUnretained(calls[position])._withUnsafeGuaranteedRef { apply($0, &value) }
                if failure != nil { return failure }
            }
            return nil
        }
        if let failure { throw failure }
        return value
    }

    private func apply(_ call: FilterCall, _ value: inout Value) -> RenderingError? {
        do throws(RenderingError) {
            value = try apply(call, to: value)
            return nil
        } catch {
            return error
        }
    }

    func evaluate(_ expression: Expression) throws(RenderingError) -> Value { try expression.evaluate(self) }

    /// An end of a range: anything that is no number counts as 0.
    func bound(_ value: Value) throws(RenderingError) -> Int64 {
        switch Number(value) {
        case .int(let number): return number
        case .double(let number):
            guard let whole = Number.truncated(number) else {
                throw error(.invalidArgument, "the end of a range is too large")
            }
            return whole
        }
    }

    // MARK: Lookups

    func value(
        in root: Value, _ segments: [Lookup.Segment], from start: Int
    ) throws(RenderingError) -> Value {
        var value = root
        for position in start..<segments.count {
            switch segments[position] {
            case .key(let key):
                if key == "size", let text = value.string { try spend(bytes: text.utf8.count) }
                value = member(key, of: value)
            case .index(let expression): value = element(try evaluate(expression), of: value)
            }
            if value.isNull { return value }
        }
        return value
    }

    /// `value.key`: a member if there is one, else `size`, `first` or `last`, else an index in digits.
    private func member(_ key: String, of value: Value) -> Value {
        switch value {
        case .json(.object(let object)):
            if let member = object.member(key) { return .json(member) }
        case .json(.array(let items)):
            if let index = Int(key) { return element(.json(.int(Int64(index))), of: .json(.array(items))) }
        case .loop(let loop):
            return loop[key]
        default: break
        }
        switch key {
        case "size": return size(of: value).map { .json(.int(Int64($0))) } ?? .null
        case "first": return first(of: value)
        case "last": return last(of: value)
        default: return .null
        }
    }

    /// `value[key]`. Negative indices count from the end.
    private func element(_ key: Value, of value: Value) -> Value {
        switch (value, key) {
        case (.json(.object(let object)), .json(.string(let key))), (.json(.object(let object)), .markup(let key)):
            return .json(object[key] ?? .null)
        case (.json(.array(let items)), .json(.int(let index))):
            let position = index < 0 ? Int64(items.count) + index : index
            return position >= 0 && position < items.count ? .json(items[Int(position)]) : .null
        case (.loop(let loop), .json(.string(let key))):
            return loop[key]
        default: return .null
        }
    }

    /// Characters (Unicode scalars), elements or members; nil for what has no size.
    func size(of value: Value) -> Int? {
        switch value {
        case .json(.string(let text)), .markup(let text): text.scalarCount
        case .json(.array(let items)): items.count
        case .json(.object(let object)): object.count
        case .range(let range): range.count
        default: nil
        }
    }

    func first(of value: Value) -> Value {
        switch value {
        case .json(.array(let items)): .json(items.first ?? .null)
        case .json(.object(let object)):
            object.isEmpty ? .null : .json(.array([.string(object.keys[0]), object.values[0]]))
        case .range(let range): range[0].map { .json(.int($0)) } ?? .null
        default: .null
        }
    }

    func last(of value: Value) -> Value {
        switch value {
        case .json(.array(let items)): .json(items.last ?? .null)
        case .range(let range): range.count > 0 ? .json(.int(range.last)) : .null
        default: .null
        }
    }

    // MARK: Conditions

    /// Right-associative without precedence: the first `or` after a true comparison and the first `and` after a false
    /// one decide.
    func isTrue(_ condition: Condition) throws(RenderingError) -> Bool {
        var result = try isTrue(condition.first)
        for (relation, comparison) in condition.others {
            if result == (relation == .or) { return result }
            result = try isTrue(comparison)
        }
        return result
    }

    private func isTrue(_ comparison: Comparison) throws(RenderingError) -> Bool {
        guard let right = comparison.right else { return try comparison.left.isTrue(self) }
        let left = try evaluate(comparison.left)
        let other = try evaluate(right)
        switch comparison.relation {
        case .equal: return try equal(left, other)
        case .notEqual: return try !equal(left, other)
        case .contains: return try contains(left, other)
        case .less: return try ordered(left, other) { $0 < 0 }
        case .lessOrEqual: return try ordered(left, other) { $0 <= 0 }
        case .greater: return try ordered(left, other) { $0 > 0 }
        case .greaterOrEqual: return try ordered(left, other) { $0 >= 0 }
        }
    }

    func equal(_ left: Value, _ right: Value) throws(RenderingError) -> Bool {
        switch (left, right) {
        case (.empty, .empty), (.blank, .blank): return true
        case (.empty, .blank), (.blank, .empty): return false
        case (.empty, let value), (let value, .empty): return value.isEmpty
        case (.blank, let value), (let value, .blank):
            if let text = value.string { try spend(bytes: text.utf8.count) }
            return value.isBlank
        case (.range(let a), .range(let b)): return a == b
        case (.markup(let a), _): return try equal(.json(.string(a)), right)
        case (_, .markup(let b)): return try equal(left, .json(.string(b)))
        case (.json(let a), .json(let b)): return try equal(a, b)
        default: return false
        }
    }

    /// Equality of JSON that pays for what it reads.
    func equal(_ left: JSON, _ right: JSON) throws(RenderingError) -> Bool {
        switch (left, right) {
        case (.string(let a), .string(let b)):
            try spend(bytes: min(a.utf8.count, b.utf8.count))
            return a == b
        case (.array(let a), .array(let b)):
            guard a.count == b.count else { return false }
            for (one, other) in zip(a, b) {
                try spend()
                guard try equal(one, other) else { return false }
            }
            return true
        case (.object(let a), .object(let b)):
            guard a.count == b.count else { return false }
            for (key, one) in a {
                try spend()
                guard let other = b[key], try equal(one, other) else { return false }
            }
            return true
        default: return left == right
        }
    }

    /// A string contains text, an array an element, an object a key, a range a number. Nil and false are in nothing.
    private func contains(_ left: Value, _ right: Value) throws(RenderingError) -> Bool {
        guard right.isTrue else { return false }
        switch left {
        case .json(.string(let text)), .markup(let text):
            return try contains(text, try self.text(right))
        case .json(.array(let items)):
            for item in items {
                try spend()
                if try equal(.json(item), right) { return true }
            }
            return false
        case .json(.object(let object)): return right.string.map { object[$0] != nil } ?? false
        case .range(let range):
            if case .json(let json) = right, let number = json.intValue { return range.contains(number) }
            return false
        default: return false
        }
    }

    func contains(_ text: String, _ part: String) throws(RenderingError) -> Bool {
        try spend(bytes: text.utf8.count + part.utf8.count)
        return ByteSearch.first(Array(part.utf8), in: Array(text.utf8)) != nil
    }

    /// Numbers with numbers and text with text. What has no order at all is never in order; the rest is an error, as
    /// in the reference implementation.
    private func ordered(
        _ left: Value, _ right: Value, _ test: (Int) -> Bool
    ) throws(RenderingError) -> Bool {
        func hasOrder(_ value: Value) -> Bool {
            switch value {
            case .json(.int), .json(.double), .json(.string), .markup: true
            default: false
            }
        }
        guard hasOrder(left), hasOrder(right) else { return false }
        guard let order = try order(left, right) else {
            throw error(.incomparable, "text and numbers have no order")
        }
        return test(order)
    }

    /// Negative, zero or positive; nil where the two are of different kinds.
    private func order(_ left: Value, _ right: Value) throws(RenderingError) -> Int? {
        if let a = left.string, let b = right.string { return try order(.string(a), .string(b)) }
        guard case .json(let a) = left, case .json(let b) = right else { return nil }
        return try order(a, b)
    }

    /// The same for JSON: numbers by value, text by Unicode scalars.
    func order(_ left: JSON, _ right: JSON) throws(RenderingError) -> Int? {
        switch (left, right) {
        case (.int(let a), .int(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.string(let a), .string(let b)):
            try spend(bytes: min(a.utf8.count, b.utf8.count))
            if a == b { return 0 }
            return a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1
        default:
            guard let a = left.doubleValue, let b = right.doubleValue else { return nil }
            return a < b ? -1 : a > b ? 1 : 0
        }
    }
}

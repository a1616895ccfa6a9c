import JSONValue

/// The variables in sight. `render` gives a partial a frame of its own.
struct Frame {
    /// The caller's variables; they lose against everything else.
    let data: JSONObject
    /// `increment` and `decrement`.
    var counters: [String: Int64] = [:]
    /// `assign` and `capture`, whatever block they stand in.
    var assigned: [String: Value] = [:]
    /// Loop variables and arguments of partials, the innermost last.
    var scoped: [(name: Name, value: Value)] = []
    /// The loops around, the innermost last.
    var loops: [LoopState] = []
    /// Inside a partial of `render`.
    let isIsolated: Bool

    init(data: JSONObject, scoped: [(name: Name, value: Value)] = [], isIsolated: Bool = false) {
        self.data = data
        self.scoped = scoped
        self.isIsolated = isIsolated
    }
}

extension Renderer {
    /// Nil where nothing is defined.
    func variable(_ name: Name) -> Value {
        var position = frame.scoped.count - 1
        while position >= 0 {
            if frame.scoped[position].name == name { return frame.scoped[position].value }
            position -= 1
        }
        if !frame.assigned.isEmpty, let value = frame.assigned[name.text] { return value }
        if !frame.counters.isEmpty, let count = frame.counters[name.text] { return .json(.int(count)) }
        return .json(frame.data.member(name.text) ?? .null)
    }

    /// A member of an object that is a loop variable or an argument, taken out of it where it stands: a copy of the object
    /// would cost more than the look. Nil where it must be looked for the long way.
    func member(_ key: String, of name: Name) -> JSON? { Self.member(key, of: name, in: frame.scoped) }

    /// What is a parameter cannot change meanwhile: nothing on the way to the member is retained.
    private static func member(_ key: String, of name: Name, in scoped: [(name: Name, value: Value)]) -> JSON? {
        var position = scoped.count - 1
        while position >= 0 {
            if scoped[position].name == name { return member(key, of: scoped[position].value) }
            position -= 1
        }
        return nil
    }

    @inline(never)
    private static func member(_ key: String, of value: borrowing Value) -> JSON? {
        switch value {
        case .json(.object(let object)): object.member(key)
        default: nil
        }
    }
}

extension JSONObject {
    /// The same as `self[key]`. Most keys differ in length, which is known without looking at them.
    @inline(__always)
    func member(_ key: String) -> JSON? {
        let keys = keys
        guard keys.count <= 12 else { return self[key] }
        let length = key.utf8.count
        for position in 0..<keys.count where keys[position].utf8.count == length && keys[position] == key {
            return values[position]
        }
        return nil
    }
}

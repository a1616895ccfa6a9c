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

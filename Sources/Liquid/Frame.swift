import JSONValue

/// The variables in sight. `render` gives a partial a frame of its own.
struct Frame {
    /// The caller's variables; they lose against everything else.
    var data: JSONObject
    /// `increment` and `decrement`.
    var counters: [String: Int64] = [:]
    /// `assign` and `capture`, whatever block they stand in.
    var assigned: [String: Value] = [:]
    /// Loop variables and arguments of partials, the innermost last.
    var scoped: [(name: String, value: Value)] = []
    /// The loops around, the innermost last.
    var loops: [LoopState] = []
    /// Inside a partial of `render`.
    var isIsolated = false

    /// Nil where nothing is defined.
    subscript(name: String) -> Value {
        if let position = scoped.lastIndex(where: { $0.name == name }) { return scoped[position].value }
        if let value = assigned[name] { return value }
        if let count = counters[name] { return .json(.int(count)) }
        return .json(data[name] ?? .null)
    }
}

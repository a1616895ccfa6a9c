import JSONValue

/// What is defined besides the loop variables and arguments. `render` gives a partial a frame of its own.
struct Frame {
    /// `increment` and `decrement`.
    var counters: [String: Int64] = [:]
    /// `assign` and `capture`, whatever block they stand in.
    private var assigned: [String: Value] = [:]
    /// One bit for each of the names assigned: nearly all others have another.
    private var assignedMarks: UInt64 = 0
    /// The loops around, the innermost last.
    var loops: [LoopState] = []
    /// Inside a partial of `render`, which sees nothing of the caller's data.
    let isIsolated: Bool

    init(isIsolated: Bool = false) { self.isIsolated = isIsolated }

    mutating func assign(_ name: Name, _ value: Value) {
        assigned[name.text] = value
        assignedMarks |= name.mark
    }

    /// An assigned value or a counter.
    @inline(__always)
    func value(of name: Name) -> Value? {
        if assignedMarks & name.mark != 0, let value = assigned[name.text] { return value }
        if !counters.isEmpty, let count = counters[name.text] { return .json(.int(count)) }
        return nil
    }

    /// Whether there may be one.
    @inline(__always)
    func mayHave(_ name: Name) -> Bool { assignedMarks & name.mark != 0 || !counters.isEmpty }
}

extension Renderer {
    /// Nil where nothing is defined.
    func variable(_ name: Name) -> Value {
        if let variable = scoped.find(name) { return variable.pointee.value }
        if let value = frame.value(of: name) { return value }
        return frame.isIsolated ? .null : .json(data.member(name.text) ?? .null)
    }

    /// How far the keys of a lookup lead from member to member: where the value stands that was reached, and how many of
    /// the keys led there. Nothing on the way is copied, and what is pointed to stays until a variable changes. Nil where
    /// the variable is no JSON or must be looked for the long way.
    func place(of lookup: Lookup) -> (value: UnsafePointer<JSON>, passed: Int)? {
        guard var place = place(of: lookup.name) else { return nil }
        var passed = 0
        for key in lookup.keys {
            guard let member = JSONObject.place(of: key, in: place) else { break }
            place = member
            passed += 1
        }
        return (place, passed)
    }

    @inline(__always)
    private func place(of name: Name) -> UnsafePointer<JSON>? {
        if let variable = scoped.find(name) { return ScopedVariable.json(of: variable) }
        guard !frame.mayHave(name), !frame.isIsolated else { return nil }
        return data.place(of: name.text)
    }
}

extension JSONObject {
    /// The same as `self[key]`. Most keys differ in length, which is known without looking at them.
    func member(_ key: String) -> JSON? {
        defer { withExtendedLifetime(self) {} }
        return place(of: key)?.pointee
    }

    /// Where the value of `key` stands; good for as long as the object is kept as it is.
    @inline(__always)
    func place(of key: String) -> UnsafePointer<JSON>? { members.flatMap { Self.place(of: key, in: $0) } }

    /// The same for the object that stands there, if it is one.
    @inline(__always)
    static func place(of key: String, in value: UnsafePointer<JSON>) -> UnsafePointer<JSON>? {
        members(of: value).flatMap { place(of: key, in: $0) }
    }

    /// Apart from the search, during which the object would be retained.
    @inline(__always)
    private static func members(of value: UnsafePointer<JSON>) -> UnsafeMutablePointer<JSONMembers>? {
        if case .object(let object) = value.pointee { object.members } else { nil }
    }

    @inline(__always)
    private static func place(
        of key: String, in members: UnsafeMutablePointer<JSONMembers>
    ) -> UnsafePointer<JSON>? {
        let count = members.pointee.count
        var member = UnsafePointer(members.pointee.start)
        guard count <= JSONMembers.indexThreshold else {
            return JSONMembers.position(of: key, in: members).flatMap { (member + $0).pointer(to: \.value) }
        }
        let length = key.utf8.count
        let end = member + count
        while member < end {
            if member.pointee.key.utf8.count == length, member.pointee.key == key {
                return member.pointer(to: \.value)
            }
            member += 1
        }
        return nil
    }
}

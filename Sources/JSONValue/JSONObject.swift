/// The members of a JSON object in the order in which they were written. Two objects with the same members are
/// equal whatever their order.
///
/// Copies share their members until one of them changes, so that a copy costs no more than one reference.
///
/// `@unchecked Sendable`: members are changed only by an object that has them alone, see `own`.
package struct JSONObject: @unchecked Sendable {
    /// Keeps the members; nil without any.
    private var memory: JSONMemory?
    /// The members, which stand in the memory: through it every look at them would retain it. To be used only while the
    /// object is kept, and unchanged.
    package private(set) var members: UnsafeMutablePointer<JSONMembers>?

    package init() {}

    package init(_ members: some Sequence<(String, JSON)>) {
        for (key, value) in members { self[key] = value }
    }

    package var count: Int { look { $0.pointee.count } ?? 0 }
    package var isEmpty: Bool { members == nil }

    /// Setting nil removes the member; setting a known key keeps its place.
    package subscript(key: String) -> JSON? {
        get {
            look { members in
                JSONMembers.position(of: key, in: members).map { members.pointee.start[$0].value }
            } ?? nil
        }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?):
                own(capacity: 0)
                defer { withExtendedLifetime(memory) {} }
                members?.pointee.start[position].value = value
            case (let position?, nil): remove(at: position)
            case (nil, let value?): append(key, value)
            case (nil, nil): break
            }
        }
    }

    /// Shallow merge: every member of `other` replaces or extends ours.
    package mutating func merge(_ other: JSONObject) {
        guard !isEmpty else {
            self = other
            return
        }
        for (key, value) in other { self[key] = value }
    }

    package func merging(_ other: JSONObject) -> JSONObject {
        var copy = self
        copy.merge(other)
        return copy
    }

    package func contains(_ key: String) -> Bool { position(of: key) != nil }

    private func position(of key: String) -> Int? { look { JSONMembers.position(of: key, in: $0) } ?? nil }

    /// Nil without members.
    @inline(__always)
    private func look<Result>(_ body: (UnsafeMutablePointer<JSONMembers>) -> Result) -> Result? {
        defer { withExtendedLifetime(memory) {} }
        return members.map(body)
    }

    // MARK: Changes

    /// Before a change: makes the members nobody else's, with room for `capacity` of them.
    @inline(__always)
    private mutating func own(capacity: Int) {
        if isKnownUniquelyReferenced(&memory), let members, members.pointee.capacity >= capacity { return }
        move(capacity: capacity)
    }

    @inline(never)
    private mutating func move(capacity: Int) {
        let isShared = !isKnownUniquelyReferenced(&memory)
        let former = members?.pointee.capacity ?? 0
        // What is copied from stands in it.
        let before = memory
        defer { withExtendedLifetime(before) {} }
        let own = JSONMemory.empty(capacity: isShared ? Swift.max(capacity, count) : Swift.max(capacity, former * 2))
        let place = own.members
        if let members {
            if isShared { place.pointee.copy(members) } else { place.pointee.take(&members.pointee) }
        }
        memory = own
        members = place
    }

    /// For a key that is not there.
    mutating func append(_ key: consuming String, _ value: consuming JSON) {
        own(capacity: count + 1)
        defer { withExtendedLifetime(memory) {} }
        members?.pointee.append(key, value)
    }

    private mutating func remove(at position: Int) {
        guard count > 1 else {
            self = JSONObject()
            return
        }
        own(capacity: 0)
        defer { withExtendedLifetime(memory) {} }
        members?.pointee.remove(at: position)
    }
}

extension JSONObject: Sequence {
    package struct Iterator: IteratorProtocol {
        fileprivate let object: JSONObject
        fileprivate var position = 0

        package mutating func next() -> (String, JSON)? {
            defer { withExtendedLifetime(object) {} }
            guard let members = object.members, position < members.pointee.count else { return nil }
            defer { position += 1 }
            return (members.pointee.start[position].key, members.pointee.start[position].value)
        }
    }

    package func makeIterator() -> Iterator { Iterator(object: self) }
    package var underestimatedCount: Int { count }

    /// What `body` makes of the members where they stand, without a copy of any of them.
    package func withMembers<Result>(_ body: (UnsafeBufferPointer<JSONMember>) -> Result) -> Result {
        look { body(UnsafeBufferPointer(start: $0.pointee.start, count: $0.pointee.count)) }
            ?? body(UnsafeBufferPointer(start: nil, count: 0))
    }

    /// The keys in their order.
    package var keys: Keys { Keys(object: self) }
    /// The values in the order of their keys.
    package var values: Values { Values(object: self) }

    package struct Keys: RandomAccessCollection {
        fileprivate let object: JSONObject

        package var startIndex: Int { 0 }
        package var endIndex: Int { object.count }
        package subscript(position: Int) -> String {
            precondition(position >= 0 && position < object.count, "no such member")
            return object.withMembers { $0[position].key }
        }

        package static func == (keys: Keys, other: some Sequence<String>) -> Bool { keys.elementsEqual(other) }
    }

    package struct Values: RandomAccessCollection {
        fileprivate let object: JSONObject

        package var startIndex: Int { 0 }
        package var endIndex: Int { object.count }
        package subscript(position: Int) -> JSON {
            precondition(position >= 0 && position < object.count, "no such member")
            return object.withMembers { $0[position].value }
        }

        package static func == (values: Values, other: some Sequence<JSON>) -> Bool { values.elementsEqual(other) }
    }
}

extension JSONObject: Hashable {
    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        defer { withExtendedLifetime(left) { withExtendedLifetime(right) {} } }
        guard let one = left.members, let other = right.members else { return left.isEmpty == right.isEmpty }
        return JSONMembers.equal(one, other)
    }

    package func hash(into hasher: inout Hasher) {
        // Order does not count, so the members' hashes are added up.
        var sum = 0
        for (key, value) in self {
            var member = Hasher()
            member.combine(key)
            member.combine(value)
            sum &+= member.finalize()
        }
        hasher.combine(sum)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}

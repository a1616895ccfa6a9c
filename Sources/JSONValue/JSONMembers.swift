/// One member of an object.
package struct JSONMember {
    package let key: String
    package internal(set) var value: JSON
}

/// The members that an object shares with its copies.
///
/// Few members, which is nearly always, are searched linearly; an index is kept only past `indexThreshold`.
package struct JSONMembers {
    package static let indexThreshold = 12

    /// Objects are made member by member, and have more than one: growing with each of the first few would cost more than
    /// all the rest.
    static let leastCapacity = 6

    package private(set) var count = 0
    let capacity: Int
    /// Where the members stand, in their order.
    package let start: UnsafeMutablePointer<JSONMember>
    /// Where each key stands.
    private var index: [String: Int]?

    fileprivate init(capacity: Int, start: UnsafeMutablePointer<JSONMember>) {
        self.capacity = capacity
        self.start = start
    }

    /// Where a key stands, by a pointer: what is loaded as a whole is retained.
    @inline(__always)
    package static func position(of key: String, in members: UnsafeMutablePointer<JSONMembers>) -> Int? {
        guard members.pointee.index == nil else { return indexed(key, in: members) }
        let start = members.pointee.start
        for position in 0..<members.pointee.count where start[position].key == key { return position }
        return nil
    }

    @inline(never)
    private static func indexed(_ key: String, in members: UnsafeMutablePointer<JSONMembers>) -> Int? {
        members.pointee.index?[key]
    }

    // MARK: Changes

    /// There must be room.
    mutating func append(_ key: consuming String, _ value: consuming JSON) {
        (start + count).initialize(to: JSONMember(key: key, value: value))
        count += 1
        if index != nil || count > Self.indexThreshold { noteLast() }
    }

    @inline(never)
    private mutating func noteLast() {
        if index != nil { index?[start[count - 1].key] = count - 1 } else { makeIndex() }
    }

    private mutating func makeIndex() {
        let members = UnsafeBufferPointer(start: start, count: count)
        index = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1.key, $0) })
    }

    mutating func remove(at position: Int) {
        (start + position).deinitialize(count: 1)
        count -= 1
        (start + position).moveInitialize(from: start + position + 1, count: count - position)
        if index != nil { makeIndex() }
    }

    /// Copies those of another, while there are none here.
    mutating func copy(_ other: UnsafeMutablePointer<JSONMembers>) {
        let count = other.pointee.count
        // One by one: what copies many at once asks the runtime about each part of each.
        for position in 0..<count { (start + position).initialize(to: other.pointee.start[position]) }
        self.count = count
        index = other.pointee.index
    }

    /// Takes those of another, while there are none here, and leaves none there.
    mutating func take(_ other: inout JSONMembers) {
        start.moveInitialize(from: other.start, count: other.count)
        swap(&count, &other.count)
        swap(&index, &other.index)
    }
}

extension JSONMembers {
    /// Whatever the order. Most that are compared have the same.
    static func equal(_ left: UnsafeMutablePointer<JSONMembers>, _ right: UnsafeMutablePointer<JSONMembers>) -> Bool {
        let count = left.pointee.count
        guard count == right.pointee.count else { return false }
        let (start, other) = (left.pointee.start, right.pointee.start)
        for position in 0..<count {
            var place = position
            if start[position].key != other[position].key {
                guard let found = self.position(of: start[position].key, in: right) else { return false }
                place = found
            }
            guard start[position].value == other[place].value else { return false }
        }
        return true
    }
}

/// What the members of one object stand in, in one piece.
final class JSONMemory: ManagedBuffer<JSONMembers, JSONMember> {
    /// Without members, and with room for `capacity` or more.
    static func empty(capacity: Int) -> JSONMemory {
        let capacity = max(capacity, JSONMembers.leastCapacity)
        let made = create(minimumCapacity: capacity) { memory in
            JSONMembers(capacity: capacity, start: memory.withUnsafeMutablePointerToElements { $0 })
        }
        return unsafeDowncast(made, to: JSONMemory.self)
    }

    deinit { withUnsafeMutablePointers { _ = $1.deinitialize(count: $0.pointee.count) } }

    /// Stays where it is.
    var members: UnsafeMutablePointer<JSONMembers> { withUnsafeMutablePointerToHeader { $0 } }
}

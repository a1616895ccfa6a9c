/// A pattern for whole mail addresses, written as a regular expression or with wildcards.
///
/// It is matched by walking all its states at once, byte by byte, so the time grows with the length of the address times the
/// size of the pattern and nothing else: no pattern and no address can make it search for long. What would need another way
/// of matching (back references, looking around) is refused, and so is a pattern of more than `stateLimit` states.
///
/// Addresses are compared in lower case.
package struct AddressPattern: Hashable, Sendable {
    /// Why a pattern cannot be used: one sentence without the pattern.
    package struct Failure: Error, Hashable, CustomStringConvertible {
        package let description: String

        init(_ description: String) { self.description = description }
    }

    /// States a pattern may have; a repetition has as many as it repeats.
    package static let stateLimit = 1000
    /// Groups inside each other.
    static let depthLimit = 20

    /// As it was written.
    package let text: String
    private let program: [Instruction]

    /// A regular expression that must match the whole address: characters, `.`, sets `[a-z]`, `\d` `\w` `\s` and their
    /// opposites, groups, `|`, and `*` `+` `?` `{m,n}`.
    package init(expression: String) throws(Failure) {
        text = expression
        var parser = PatternParser(Array(expression.utf8))
        program = try Self.program(try parser.parse())
    }

    /// `*` stands for any characters but `@`, `?` for one of them; everything else for itself.
    package init(wildcard: String) throws(Failure) {
        text = wildcard
        let anything = ByteSet.all.subtracting(ByteSet([UInt8(ascii: "@")]))
        let nodes = wildcard.lowercased().utf8.map { byte -> PatternNode in
            switch byte {
            case UInt8(ascii: "*"): .repeated(.bytes(anything), least: 0, most: nil)
            case UInt8(ascii: "?"): .bytes(anything)
            default: .bytes(ByteSet([byte]))
            }
        }
        program = try Self.program(.sequence(nodes))
    }

    private static func program(_ node: PatternNode) throws(Failure) -> [Instruction] {
        var compiler = PatternCompiler()
        try compiler.emit(node)
        try compiler.append(.match)
        return compiler.program
    }

    /// Whether the whole address fits; it must be in lower case.
    package func matches(_ address: String) -> Bool {
        var current = StateSet(count: program.count)
        var next = StateSet(count: program.count)
        add(0, to: &current)
        for byte in address.utf8 {
            if current.states.isEmpty { return false }
            next.removeAll()
            for state in current.states {
                if case .bytes(let set) = program[state], set.contains(byte) { add(state + 1, to: &next) }
            }
            swap(&current, &next)
        }
        return current.states.contains { program[$0] == .match }
    }

    /// Follows jumps to the states that wait for a byte or for the end.
    private func add(_ start: Int, to set: inout StateSet) {
        var open = [start]
        while let state = open.popLast() {
            guard set.insert(state) else { continue }
            switch program[state] {
            case .split(let first, let second):
                open.append(second)
                open.append(first)
            case .jump(let target): open.append(target)
            case .bytes, .match: set.states.append(state)
            }
        }
    }

    private struct StateSet {
        private var isSeen: [Bool]
        private var seen: [Int] = []
        var states: [Int] = []

        init(count: Int) { isSeen = [Bool](repeating: false, count: count) }

        mutating func insert(_ state: Int) -> Bool {
            if isSeen[state] { return false }
            isSeen[state] = true
            seen.append(state)
            return true
        }

        mutating func removeAll() {
            for state in seen { isSeen[state] = false }
            seen.removeAll(keepingCapacity: true)
            states.removeAll(keepingCapacity: true)
        }
    }
}

/// One step of a pattern's program.
private enum Instruction: Hashable, Sendable {
    /// Takes one byte of the set and goes on to the next instruction.
    case bytes(ByteSet)
    case split(Int, Int)
    case jump(Int)
    case match
}

/// A set of bytes.
struct ByteSet: Hashable, Sendable {
    private var words: [UInt64] = [0, 0, 0, 0]

    static let all: ByteSet = {
        var set = ByteSet([])
        set.words = [.max, .max, .max, .max]
        return set
    }()

    init(_ bytes: some Sequence<UInt8>) { for byte in bytes { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) } }

    /// The same with lower-case letters in place of capitals.
    var folded: ByteSet {
        var set = self
        for byte in UInt8(ascii: "A")...UInt8(ascii: "Z") where contains(byte) {
            set.words[Int(byte >> 6)] &= ~(1 << UInt64(byte & 63))
            set.words[Int((byte | 0x20) >> 6)] |= 1 << UInt64((byte | 0x20) & 63)
        }
        return set
    }

    func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] & 1 << UInt64(byte & 63) != 0 }

    func union(_ other: ByteSet) -> ByteSet {
        var set = self
        for index in 0..<4 { set.words[index] |= other.words[index] }
        return set
    }

    func subtracting(_ other: ByteSet) -> ByteSet {
        var set = self
        for index in 0..<4 { set.words[index] &= ~other.words[index] }
        return set
    }
}

/// A pattern as it was written.
indirect enum PatternNode {
    case bytes(ByteSet)
    case sequence([PatternNode])
    case choice([PatternNode])
    /// `most` nil: without end.
    case repeated(PatternNode, least: Int, most: Int?)
}

private struct PatternCompiler {
    private(set) var program: [Instruction] = []

    mutating func append(_ instruction: Instruction) throws(AddressPattern.Failure) {
        guard program.count < AddressPattern.stateLimit else {
            throw AddressPattern.Failure(
                "it has more than \(AddressPattern.stateLimit) states: repeat less, or make several routes of it")
        }
        program.append(instruction)
    }

    mutating func emit(_ node: PatternNode) throws(AddressPattern.Failure) {
        switch node {
        case .bytes(let set): try append(.bytes(set))
        case .sequence(let nodes): for node in nodes { try emit(node) }
        case .choice(let nodes): try emitChoice(nodes)
        case .repeated(let node, let least, let most): try emitRepeated(node, least, most)
        }
    }

    private mutating func emitChoice(_ nodes: [PatternNode]) throws(AddressPattern.Failure) {
        var ends: [Int] = []
        for (index, node) in nodes.enumerated() {
            guard index < nodes.count - 1 else {
                try emit(node)
                break
            }
            let split = program.count
            try append(.split(0, 0))
            try emit(node)
            ends.append(program.count)
            try append(.jump(0))
            program[split] = .split(split + 1, program.count)
        }
        for end in ends { program[end] = .jump(program.count) }
    }

    private mutating func emitRepeated(
        _ node: PatternNode, _ least: Int, _ most: Int?
    ) throws(AddressPattern.Failure) {
        for _ in 0..<least { try emit(node) }
        guard let most else {
            let split = program.count
            try append(.split(0, 0))
            try emit(node)
            try append(.jump(split))
            program[split] = .split(split + 1, program.count)
            return
        }
        var splits: [Int] = []
        for _ in least..<most {
            splits.append(program.count)
            try append(.split(0, 0))
            try emit(node)
        }
        for split in splits { program[split] = .split(split + 1, program.count) }
    }
}

import Foundation
import WorkflowModel

/// How many different contacts there were: exactly while they are few, an estimate by HyperLogLog afterwards (Flajolet and
/// others, 2007; with 4096 registers it is wrong by 1.6 % as a rule).
struct DistinctCount {
    /// Contacts that are remembered one by one.
    static let exactLimit = 512
    private static let registerBits = 12
    private static let registerCount = 1 << registerBits

    /// Hashes of contacts while they are few.
    private var hashes: Set<UInt64> = []
    /// Empty until they are many.
    private var registers: [UInt8] = []

    init() {}

    mutating func add(_ contact: Identifier) {
        let hash = Self.hash(contact)
        guard registers.isEmpty else { return count(hash) }
        hashes.insert(hash)
        guard hashes.count > Self.exactLimit else { return }
        registers = [UInt8](repeating: 0, count: Self.registerCount)
        for hash in hashes { count(hash) }
        hashes = []
    }

    /// Forgets a contact, where contacts are remembered one by one.
    mutating func remove(_ contact: Identifier) { hashes.remove(Self.hash(contact)) }

    private mutating func count(_ hash: UInt64) {
        let register = Int(hash >> UInt64(64 - Self.registerBits))
        let rest = hash << UInt64(Self.registerBits)
        let rank = UInt8(min(rest.leadingZeroBitCount, 64 - Self.registerBits) + 1)
        if rank > registers[register] { registers[register] = rank }
    }

    var estimate: Int {
        guard !registers.isEmpty else { return hashes.count }
        let count = Double(Self.registerCount)
        var sum = 0.0
        var zeroes = 0
        for register in registers {
            sum += exp2(-Double(register))
            if register == 0 { zeroes += 1 }
        }
        let raw = 0.7213 / (1 + 1.079 / count) * count * count / sum
        // Where many registers are empty, their number says more.
        return Int((raw <= 2.5 * count && zeroes > 0 ? count * log(count / Double(zeroes)) : raw).rounded())
    }

    /// The finalizer of SplitMix64 over both halves: ids of one millisecond differ in few bits.
    private static func hash(_ contact: Identifier) -> UInt64 {
        var value = contact.high &* 0x9E37_79B9_7F4A_7C15 ^ contact.low
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    // MARK: Stored form

    /// The registers, or eight bytes for each contact.
    var bytes: [UInt8] {
        registers.isEmpty
            ? hashes.sorted().flatMap { hash in (0..<8).map { UInt8(truncatingIfNeeded: hash >> UInt64(8 * $0)) } }
            : [1] + registers
    }

    /// From the stored form; anything else is as if there were none.
    init(bytes: [UInt8]) {
        if bytes.count == Self.registerCount + 1 {
            registers = Array(bytes.dropFirst())
        } else if bytes.count % 8 == 0 {
            for start in stride(from: 0, to: bytes.count, by: 8) {
                hashes.insert((0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) })
            }
        }
    }
}

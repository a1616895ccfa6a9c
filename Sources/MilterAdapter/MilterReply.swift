/// What an MTA is told (libmilter/mfdef.h, `SMFIR_*`).
enum MilterReply: Hashable, Sendable {
    /// `c`: go on.
    case `continue`
    /// `a`: nothing more of this message is of interest.
    case accept
    /// `s`: no more of its body is.
    case skip
    /// `d`: take it and let it vanish.
    case discard
    /// `y`: the client gets this line.
    case refusal(ReplyLine)
    /// `q`: hold the message. A change, which another reply must follow.
    case quarantine(reason: String)
    /// `O`: what is asked for of what was offered.
    case negotiation(version: UInt32, MilterNegotiation)

    /// Appends the packet.
    func append(to bytes: inout [UInt8]) {
        switch self {
        case .continue: Self.append("c", to: &bytes)
        case .accept: Self.append("a", to: &bytes)
        case .skip: Self.append("s", to: &bytes)
        case .discard: Self.append("d", to: &bytes)
        case .refusal(let line):
            let words = [line.code, line.enhancedCode, line.text].compactMap { $0 }
            Self.append("y", Array(words.joined(separator: " ").utf8) + [0], to: &bytes)
        case .quarantine(let reason): Self.append("q", Array(reason.utf8) + [0], to: &bytes)
        case .negotiation(let version, let negotiation):
            let words = [
                version, UInt32(truncatingIfNeeded: negotiation.actions), UInt32(truncatingIfNeeded: negotiation.steps),
            ]
            Self.append("O", words.flatMap { Self.bigEndian($0) }, to: &bytes)
        }
    }

    private static func append(_ letter: Unicode.Scalar, _ data: [UInt8] = [], to bytes: inout [UInt8]) {
        bytes += bigEndian(UInt32(data.count + 1))
        bytes.append(UInt8(ascii: letter))
        bytes += data
    }

    private static func bigEndian(_ word: UInt32) -> [UInt8] { withUnsafeBytes(of: word.bigEndian) { Array($0) } }
}

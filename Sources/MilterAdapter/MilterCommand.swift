import CLibmilter
import Glibc

/// What an MTA says in one packet (libmilter/mfdef.h, `SMFIC_*`; what Postfix sends of it is in its milter8.c). Buffers are
/// the packet's own.
enum MilterCommand {
    /// `O`: the version of the protocol, the rights and the steps that the MTA offers.
    case negotiate(version: UInt32, actions: UInt32, steps: UInt32)
    /// `D`: macros for the command that follows, as names and values that each end with NUL.
    case macros(UnsafeRawBufferPointer)
    /// `C`: the client's name, and its address as digits; empty for a client that has none.
    case connect(name: String, address: String)
    /// `H`
    case helo(String)
    /// `M`: the reverse path and its parameters, one or more.
    case mail([String])
    /// `R`: the address, without its parameters.
    case recipient(String)
    /// `T`
    case data
    /// `L`: a field; its value ends before the first NUL, as it does in everything that is made of C strings.
    case header(name: String, value: UnsafeRawBufferPointer)
    /// `N`
    case endOfHeader
    /// `B`
    case body(UnsafeRawBufferPointer)
    /// `E`, which may bring a last chunk of the body.
    case endOfMessage(UnsafeRawBufferPointer)
    /// `A`: no message comes of what was said since MAIL.
    case abort
    /// `K`: this client is gone, and another one follows.
    case nextClient
    /// `U`: the client said something that the MTA does not know.
    case unknown
    /// `Q`
    case quit

    /// - Throws: `MilterFault` `unknownCommand` or `malformed`.
    init(_ packet: MilterPacket) throws(MilterFault) {
        let data = packet.data
        switch packet.command {
        case UInt8(ascii: "L"): self = try Self.header(data)
        case UInt8(ascii: "D"): self = .macros(data)
        case UInt8(ascii: "B"): self = .body(data)
        case UInt8(ascii: "M"): self = .mail(try Self.strings(data, of: "MAIL"))
        case UInt8(ascii: "R"): self = .recipient(try Self.strings(data, of: "RCPT", limit: 1)[0])
        case UInt8(ascii: "T"): self = .data
        case UInt8(ascii: "N"): self = .endOfHeader
        case UInt8(ascii: "E"): self = .endOfMessage(data)
        case UInt8(ascii: "A"): self = .abort
        case UInt8(ascii: "C"): self = try Self.connect(data)
        case UInt8(ascii: "H"): self = .helo(try Self.strings(data, of: "HELO", limit: 1)[0])
        case UInt8(ascii: "O"): self = try Self.negotiate(data)
        case UInt8(ascii: "K"): self = .nextClient
        case UInt8(ascii: "U"): self = .unknown
        case UInt8(ascii: "Q"): self = .quit
        default: throw MilterFault(.unknownCommand, "a command \(packet.command)")
        }
    }

    /// Bytes that are kept of an address, a parameter or a name: twice what Postfix takes as a line (line_length_limit in postconf(5)).
    /// sendmail(1) takes longer ones, and such a mail must go its way; a path has 256 at the most (RFC 5321 section 4.5.3.1.3), so that
    /// what was cut is nobody's address.
    private static let textLimit = 4096

    /// Texts that each end with NUL, one or more.
    /// - Parameter limit: of texts; what follows them is not looked at.
    private static func strings(
        _ data: UnsafeRawBufferPointer, of command: StaticString, limit: Int = .max
    ) throws(MilterFault) -> [String] {
        var found: [String] = []
        var rest = data[...]
        while found.count < limit, let end = rest.firstIndex(of: 0) {
            found.append(text(rest[..<end].prefix(textLimit)))
            rest = rest[(end + 1)...]
        }
        guard !found.isEmpty, found.count == limit || rest.isEmpty else {
            throw MilterFault(.malformed, "\(command) without a whole text")
        }
        return found
    }

    private static func text(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes), as: UTF8.self)
    }

    private static func header(_ data: UnsafeRawBufferPointer) throws(MilterFault) -> MilterCommand {
        guard let end = data.firstIndex(of: 0), end > 0, data.last == 0, end + 1 < data.count else {
            throw MilterFault(.malformed, "a header field without name or value")
        }
        let value = data[(end + 1)...]
        return .header(
            name: text(data[..<end]),
            value: UnsafeRawBufferPointer(rebasing: value.prefix { $0 != 0 }))
    }

    /// Name, NUL, family, port (16 bits), address, NUL; a client without an address ends with its family.
    private static func connect(_ data: UnsafeRawBufferPointer) throws(MilterFault) -> MilterCommand {
        guard let end = data.firstIndex(of: 0), end + 1 < data.count else {
            throw MilterFault(.malformed, "a client without name or family")
        }
        let name = text(data[..<end])
        let family = data[end + 1]
        guard family == UInt8(ascii: "4") || family == UInt8(ascii: "6") else {
            return .connect(name: name, address: "")
        }
        let address = data.dropFirst(end + 4)
        guard let last = address.firstIndex(of: 0) else { throw MilterFault(.malformed, "a client without an address") }
        return .connect(name: name, address: digits(text(address[..<last]), isIPv6: family == UInt8(ascii: "6")))
    }

    /// The address in the form that getnameinfo(3) gives, so that one client has one name; empty for what is none. Sendmail's
    /// IPv6 addresses begin with their family.
    private static func digits(_ text: String, isIPv6: Bool) -> String {
        let text = isIPv6 && text.lowercased().hasPrefix("ipv6:") ? String(text.dropFirst(5)) : text
        let family = isIPv6 ? AF_INET6 : AF_INET
        return withUnsafeTemporaryAllocation(byteCount: Int(INET6_ADDRSTRLEN), alignment: 8) { room in
            guard let address = room.baseAddress, inet_pton(family, text, address) == 1 else { return "" }
            var digits = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            guard inet_ntop(family, address, &digits, socklen_t(digits.count)) != nil else { return "" }
            return String(decoding: digits.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    private static func negotiate(_ data: UnsafeRawBufferPointer) throws(MilterFault) -> MilterCommand {
        guard data.count >= 12 else { throw MilterFault(.malformed, "a negotiation of \(data.count) bytes") }
        func word(_ number: Int) -> UInt32 {
            UInt32(bigEndian: data.loadUnaligned(fromByteOffset: 4 * number, as: UInt32.self))
        }
        return .negotiate(version: word(0), actions: word(1), steps: word(2))
    }
}

import CResolver
import Engine
import Foundation
import MailModel

/// A name server to ask instead of the system's.
package struct NameServer: Hashable, Sendable, CustomStringConvertible {
    let address: [UInt8]
    let port: UInt16

    /// `192.0.2.1:53`, or the address alone; nil for anything else. The resolver takes IPv4 here, and what it finds in
    /// resolv.conf otherwise.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let address = IPAddress(parts[0]), address.bytes.count == 4 else {
            return nil
        }
        self.address = address.bytes
        guard let port = parts.count == 2 ? UInt16(parts[1]) : 53, port != 0 else { return nil }
        self.port = port
    }

    /// As the C structures hold it: its bytes in their order.
    var networkAddress: UInt32 {
        UInt32(littleEndian: address.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }

    package var description: String { address.map { "\($0)" }.joined(separator: ".") + ":\(port)" }
}

/// The DNS as the system's resolver knows it, each question on a thread of its own: the resolver's calls block.
package struct SystemNameService: NameService {
    /// How far aliases are followed (RFC 1034 asks for no limit, and loops are made by mistake).
    private static let aliasLimit = 8

    private let timeout: Int32
    private let server: NameServer?

    /// - Parameters:
    ///   - timeout: seconds for one question to one name server, at least 1.
    ///   - server: nil asks those of the system.
    package init(timeout: Int64, server: NameServer? = nil) {
        self.timeout = Int32(clamping: max(1, timeout))
        self.server = server
    }

    package func ask(_ name: String, _ type: NameRecordType) async -> NameAnswer {
        var aliases: [String] = []
        while true {
            let asked = aliases.last ?? name
            let answer = await question(asked, type)
            aliases += answer.aliases
            // A server for one zone alone leaves it to us to go on.
            guard answer.outcome == .noRecord, !answer.aliases.isEmpty else {
                return NameAnswer(
                    answer.outcome, records: answer.records, aliases: aliases, lifetime: answer.lifetime)
            }
            guard aliases.count <= Self.aliasLimit else {
                return NameAnswer(.failed("aliases lead to more than \(Self.aliasLimit) others"), aliases: aliases)
            }
        }
    }

    private func question(_ name: String, _ type: NameRecordType) async -> NameAnswer {
        // What the resolver would refuse without asking is the name of nothing.
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard name.utf8.count <= 253, labels.allSatisfy({ (1...63).contains($0.utf8.count) }),
            name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") })
        else { return NameAnswer(.noName) }
        let (timeout, server) = (timeout, server)
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: Self.ask(name, type, timeout: timeout, server: server))
            }
        }
    }

    private static func ask(_ name: String, _ type: NameRecordType, timeout: Int32, server: NameServer?) -> NameAnswer {
        var answer = [UInt8](repeating: 0, count: Int(NS_MAXMSG))
        var reason: Int32 = 0
        let length = answer.withUnsafeMutableBufferPointer { buffer in
            postrider_ask(
                name, Int32(type.rawValue), timeout, server?.networkAddress ?? 0, server?.port ?? 0, buffer.baseAddress,
                Int32(buffer.count), &reason)
        }
        guard length >= 0 else {
            switch reason {
            case HOST_NOT_FOUND: return NameAnswer(.noName)
            case NO_DATA: return NameAnswer(.noRecord)
            case TRY_AGAIN: return NameAnswer(.failed("no name server answered, or it could not find out"))
            default: return NameAnswer(.failed("the name server refused the question"))
            }
        }
        guard let message = DNSMessage(Array(answer.prefix(Int(length)))) else {
            return NameAnswer(.failed("the name server's answer cannot be read"))
        }
        return Self.answer(of: message, to: name, type)
    }

    /// What a message says of one name, aliases followed as far as it tells of them.
    private static func answer(of message: DNSMessage, to name: String, _ type: NameRecordType) -> NameAnswer {
        var name = name.lowercased()
        var aliases: [String] = []
        while aliases.count <= aliasLimit,
            let alias = message.records.first(where: { $0.name == name && $0.type == DNSMessage.alias }),
            let target = message.target(of: alias)
        {
            aliases.append(target)
            name = target
        }
        let found = message.records.filter { $0.name == name && $0.type == type.rawValue }
        var records: [NameRecord] = []
        for record in found {
            guard let value = message.value(of: record) else {
                return NameAnswer(.failed("a record cannot be read"), aliases: aliases)
            }
            records.append(value)
        }
        return NameAnswer(
            found.isEmpty ? .noRecord : .found, records: records, aliases: aliases,
            lifetime: found.map { Int64($0.lifetime) }.min() ?? 0)
    }
}

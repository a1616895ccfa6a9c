import Foundation
import Glibc
import ResolverAdapter
import ServerTestKit
import Testing

@Suite struct LookupTests {
    @Test(arguments: [
        ("mx.example", true as Bool?), ("address.example", true), ("six.example", true), ("null.example", false),
        ("nothing.example", false), ("gone.example", false), ("broken.example", nil),
    ])
    func aDomainHasAServerByItsRecords(domain: String, expected: Bool?) async throws {
        let server = try NameServer()
        defer { server.stop() }
        let lookup = SystemMailServerLookup(timeout: 2, server: server.name)
        #expect(await lookup.hasMailServer(domain) == expected)
    }

    @Test func nobodyAnswering() async throws {
        let server = try NameServer(isSilent: true)
        defer { server.stop() }
        #expect(await SystemMailServerLookup(timeout: 1, server: server.name).hasMailServer("mx.example") == nil)
    }
}

/// A name server over UDP that knows the domains of the tests (RFC 1035 section 4).
private final class NameServer: Sendable {
    private let socket: DatagramSocket
    var name: ResolverAdapter.NameServer? { .init("127.0.0.1:\(socket.port)") }

    init(isSilent: Bool = false) throws {
        socket = try DatagramSocket()
        if isSilent { return }
        Thread.detachNewThread { [socket] in Self.serve(socket.descriptor) }
    }

    /// Ends the thread: its read fails.
    func stop() { socket.stop() }

    private static func serve(_ descriptor: Int32) {
        while true {
            var query = [UInt8](repeating: 0, count: 512)
            var peer = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &query, query.count, 0, $0, &length)
                }
            }
            guard count > 12 else { return }
            let answer = Self.answer(Array(query[..<count]))
            _ = withUnsafePointer(to: &peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, answer, answer.count, 0, $0, length)
                }
            }
        }
    }

    private static func answer(_ query: [UInt8]) -> [UInt8] {
        var labels: [String] = []
        var offset = 12
        while offset < query.count, query[offset] > 0 {
            let end = offset + 1 + Int(query[offset])
            labels.append(String(decoding: query[(offset + 1)..<end], as: UTF8.self))
            offset = end
        }
        let type = UInt16(query[offset + 1]) << 8 | UInt16(query[offset + 2])
        let question = Array(query[12..<(offset + 5)])
        var code: UInt8 = 0
        var data: [UInt8]?
        switch (labels.joined(separator: ".").lowercased(), type) {
        case ("mx.example", 15): data = [0, 10, 2] + Array("mx".utf8) + [0xC0, 0x0C]
        case ("null.example", 15): data = [0, 0, 0]
        case ("null.example", 1), ("address.example", 1): data = [192, 0, 2, 1]
        case ("six.example", 28): data = [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 12)
        case ("gone.example", _): code = 3
        case ("broken.example", _): code = 2
        default: break
        }
        var answer = Array(query[0..<2]) + [0x81, 0x80 | code, 0, 1, 0, data == nil ? 0 : 1, 0, 0, 0, 0] + question
        if let data {
            answer += [0xC0, 0x0C, UInt8(type >> 8), UInt8(type & 255), 0, 1, 0, 0, 0, 60, 0, UInt8(data.count)] + data
        }
        return answer
    }
}

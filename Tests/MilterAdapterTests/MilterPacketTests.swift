import EngineTestKit
import MailModel
import Testing

@testable import MilterAdapter

/// Bytes to packets, packets to commands, replies to bytes.
@Suite struct MilterPacketTests {
    private func bytes(of packets: [(Character, [UInt8])]) -> [UInt8] {
        packets.flatMap { MilterClient.packet($0.0, $0.1) }
    }

    /// Gives the buffer so many bytes at a time, and takes out what is whole.
    private func cut(_ bytes: [UInt8], by size: () -> Int) throws -> [(UInt8, [UInt8])] {
        let buffer = PacketBuffer()
        var rest = bytes[...]
        var found: [(UInt8, [UInt8])] = []
        while true {
            while let packet = try buffer.next() { found.append((packet.command, Array(packet.data))) }
            let count = buffer.fill { room in
                let piece = rest.prefix(min(room.count, max(1, size())))
                room.copyBytes(from: piece)
                return piece.count
            }
            if count == 0 { return found }
            rest = rest.dropFirst(count)
        }
    }

    /// However the bytes come.
    @Test(arguments: 0..<40) func packetsComeOutAsTheyWentIn(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed) + 1)
        let packets = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
            let sizes = [0, 1, 30, 4000, 8187, 8188, 65_535]
            let size = Int.random(in: 0...sizes[Int.random(in: 0..<sizes.count, using: &generator)], using: &generator)
            let letter = Character(Unicode.Scalar(UInt8.random(in: 65...90, using: &generator)))
            return (letter, (0..<size).map { UInt8(truncatingIfNeeded: $0 &+ seed) })
        }
        let most = [1, 5, 100, 8192, 100_000][seed % 5]
        let all = bytes(of: packets)
        let found = try cut(all) { Int.random(in: 1...most, using: &generator) }
        #expect(found.map(\.0) == packets.map { $0.0.asciiValue ?? 0 })
        #expect(found.map(\.1) == packets.map(\.1))
    }

    @Test func buffersAreUsedAgain() throws {
        let buffer = PacketBuffer()
        for size in [65_535, 3, 65_535] {
            var rest = MilterClient.packet("B", [UInt8](repeating: 7, count: size))[...]
            while try buffer.next() == nil {
                let count = buffer.fill { room in
                    let piece = rest.prefix(room.count)
                    room.copyBytes(from: piece)
                    return piece.count
                }
                rest = rest.dropFirst(count)
            }
            buffer.clear()
            #expect(try buffer.next() == nil)
        }
    }

    @Test(arguments: [0, 65_537, 0xFFFF_FFFF] as [UInt32])
    func lengthThatNoPacketHasIsAFault(_ length: UInt32) {
        #expect {
            try cut(MilterClient.bigEndian(length) + [66]) { 5 }
        } throws: {
            ($0 as? MilterFault)?.code == .packetLength
        }
    }

    private func command<Result>(
        _ letter: Character, _ data: [UInt8], _ body: (MilterCommand) -> Result
    ) throws -> Result {
        try data.withUnsafeBytes { body(try MilterCommand(MilterPacket(command: letter.asciiValue ?? 0, data: $0))) }
    }

    struct Client: Sendable {
        var data: [UInt8]
        var address: String

        init(_ family: String, _ text: String?, address: String) {
            data = Array("c.example".utf8) + [0] + Array(family.utf8)
            if let text { data += [0x30, 0x39] + Array(text.utf8) + [0] }
            self.address = address
        }
    }

    @Test(arguments: [
        Client("4", "192.0.2.7", address: "192.0.2.7"), Client("6", "2001:DB8:0::7", address: "2001:db8::7"),
        Client("6", "IPv6:2001:db8::7", address: "2001:db8::7"), Client("L", "/run/x", address: ""),
        Client("U", nil, address: ""), Client("4", "no address", address: ""), Client("4", "", address: ""),
    ])
    func clientHasOneFormOfItsAddress(_ client: Client) throws {
        let found = try command("C", client.data) { command -> [String] in
            guard case .connect(let name, let address) = command else { return [] }
            return [name, address]
        }
        #expect(found == ["c.example", client.address])
    }

    @Test(
        arguments: [
            ("M", []), ("M", Array("<a>".utf8)), ("R", Array("<a>".utf8)), ("H", []), ("L", [0, 65, 0]),
            ("L", Array("A".utf8) + [0]),
            ("L", Array("A".utf8) + [0, 66]), ("L", []), ("C", []), ("C", [65, 0]), ("C", [65, 0] + Array("4".utf8)),
            ("C", [65, 0] + Array("4".utf8) + [0, 1, 65]), ("O", [0, 0, 0, 6]),
        ] as [(Character, [UInt8])])
    func dataThatDoNotBelongAreAFault(_ letter: Character, _ data: [UInt8]) {
        #expect {
            try command(letter, data) { _ in }
        } throws: {
            ($0 as? MilterFault)?.code == .malformed
        }
    }

    /// A mail with such a recipient goes its way; what is kept of it has a bound.
    @Test(arguments: ["M", "R", "H"] as [Character]) func longTextIsCut(_ letter: Character) throws {
        for count in [4096, 4097, 60_000] {
            let data = [UInt8](repeating: 97, count: count) + [0]
            let kept = try command(letter, data) { command -> String in
                switch command {
                case .mail(let words): words.first ?? ""
                case .recipient(let text), .helo(let text): text
                default: ""
                }
            }
            #expect(kept == String(repeating: "a", count: 4096))
        }
    }

    @Test func letterThatIsNoCommandIsAFault() {
        #expect {
            try command("?", []) { _ in }
        } throws: {
            ($0 as? MilterFault)?.code == .unknownCommand
        }
    }

    @Test func fieldEndsBeforeItsFirstNUL() throws {
        let value = try command("L", Array("Subject".utf8) + [0] + Array(" a".utf8) + [0, 98, 0]) { command -> String in
            guard case .header(let name, let value) = command else { return "" }
            return name + ":" + String(decoding: value, as: UTF8.self)
        }
        #expect(value == "Subject: a")
    }

    @Test func macrosThatAreReadAreKeptAsLongAsTheyHold() {
        var macros = MilterMacros()
        func take(_ text: String) { Array(text.utf8).withUnsafeBytes { macros.take($0) } }
        take("Mi\04Q1\0{auth_authen}\0ann\0{mail_addr}\0x\0")
        #expect(macros.queueID == "4Q1")
        #expect(macros.takeLogin() == "ann")
        #expect(macros.takeLogin() == "", "said again before every MAIL")
        take("E{i}\04Q2\0")
        #expect(macros.queueID == "4Q2")
        for odd in ["", "E", "Ei", "Ei\0", "Ei\0cut", "E\0\0"] { take(odd) }
        #expect(macros.queueID == "4Q2", "what is cut off is left out")
        macros.forgetMessage()
        #expect(macros.queueID == "")
    }

    @Test(
        arguments: [
            (MilterReply.continue, [0, 0, 0, 1, 99]), (.accept, [0, 0, 0, 1, 97]), (.skip, [0, 0, 0, 1, 115]),
            (.discard, [0, 0, 0, 1, 100]),
            (
                .refusal(.temporary(Reply(code: 451, enhancedCode: "4.3.0", text: "x"))),
                [0, 0, 0, 13] + Array("y451 4.3.0 x\0".utf8)
            ),
            (.refusal(.permanent(Reply(code: 550, text: "x"))), [0, 0, 0, 7] + Array("y550 x\0".utf8)),
            (.quarantine(reason: "odd"), [0, 0, 0, 5] + Array("qodd\0".utf8)),
        ] as [(MilterReply, [UInt8])])
    func repliesAreWrittenAsTheProtocolSays(_ reply: MilterReply, _ bytes: [UInt8]) {
        var written: [UInt8] = [1]
        reply.append(to: &written)
        #expect(written == [1] + bytes)
    }
}

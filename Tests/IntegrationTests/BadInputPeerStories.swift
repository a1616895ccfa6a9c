import JSONValue
import ServerTestKit
import Testing

/// Peers that send rubbish or go away: raw ones at the milter's socket, and SMTP clients behind a real Postfix. None of
/// them leaves an event or a descriptor behind, and the next mail works.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct BadInputPeerStories {
    @Test func rubbishAtTheMilterSocketHurtsNobody() async throws {
        try await BadInputStage.play { stage in
            try await stage.expectMailWorks("before")
            let socket = stage.site.directory.path("milter.sock")
            let before = stage.daemon.process.openDescriptors
            for bytes in Self.rubbish {
                let peer = try BadInputPeer(unix: socket)
                await Self.blocking { peer.send(bytes) }
            }
            try await Self.expectSettled(stage, descriptors: before)
            try await stage.expectMailWorks("after \(Self.rubbish.count) peers with rubbish")
            #expect(try await stage.runs().count == 2)
        }
    }

    @Test func milterPeersThatHangUpInEveryPhaseLeaveNoEvent() async throws {
        try await BadInputStage.play { stage in
            try await stage.expectMailWorks("before")
            let socket = stage.site.directory.path("milter.sock")
            let before = stage.daemon.process.openDescriptors
            for count in 1...BadInputMilterPacket.phases.count {
                let all = BadInputMilterPacket.phases.prefix(count).flatMap(\.bytes)
                // After the phase, in the middle of its last packet, and after the length of the next one.
                for bytes in [all, Array(all.dropLast(3)), all + [0, 0, 1, 0]] {
                    let peer = try BadInputPeer(unix: socket)
                    await Self.blocking { peer.send(bytes) }
                }
            }
            try await Self.expectSettled(stage, descriptors: before)
            try await stage.expectMailWorks("after all of them")
            #expect(try await stage.runs(of: "peer@sender.example").isEmpty)
        }
    }

    @Test func aMilterPeerThatIsGoneWhenTheAnswerComesLeavesOneEventAtMost() async throws {
        try await BadInputStage.play { stage in
            let socket = stage.site.directory.path("milter.sock")
            let all = BadInputMilterPacket.phases.flatMap(\.bytes) + BadInputMilterPacket.packet("E")
            do {
                let peer = try BadInputPeer(unix: socket)
                await Self.blocking { peer.send(all) }
            }
            try await stage.expectMailWorks("after it")
            #expect(try await stage.runs(of: "peer@sender.example").count <= 1)
        }
    }

    /// Between packets and within them.
    @Test func silentMilterPeersDoNotKeepMailOut() async throws {
        try await BadInputStage.play { stage in
            let socket = stage.site.directory.path("milter.sock")
            let phases = BadInputMilterPacket.phases
            let peers = try (0..<200).map { _ in try BadInputPeer(unix: socket) }
            for (number, peer) in peers.enumerated() {
                let bytes = phases.prefix(number % phases.count + 1).flatMap(\.bytes).dropLast(number % 7)
                await Self.blocking { peer.send(Array(bytes)) }
            }
            try await stage.expectMailWorks("beside 200 silent peers")
            #expect(peers.count == 200)
        }
    }

    @Test func smtpClientsThatHangUpInEveryPhaseLeaveNoEvent() async throws {
        try await BadInputStage.play { stage in
            for (number, commands) in Self.conversations.enumerated() {
                for isAbrupt in [false, true] {
                    let client = try await stage.site.connectStranger()
                    for command in commands { _ = try await client.command(command) }
                    if commands.last == "DATA" {
                        for part in Self.contents[number % Self.contents.count] {
                            try await client.send(Array(part.utf8))
                        }
                    }
                    client.hangUp(abruptly: isAbrupt)
                }
            }
            let lost = stage.site.postfix.logLines().count { $0.contains("lost connection after") }
            #expect(lost > 0, "Postfix saw clients go")
            try await stage.expectMailWorks("after all of them")
            #expect(try await stage.runs().count == 1)
        }
    }

    // MARK: What peers do

    private static let envelope = ["MAIL FROM:<gone@sender.example>", "RCPT TO:<\(Site.inbox)>", "DATA"]
    /// Beginnings of a session; those with DATA come once for every piece of content.
    private static let conversations: [[String]] =
        [[], ["NOOP"], Array(envelope.prefix(1)), Array(envelope.prefix(2)), envelope.prefix(2) + ["RSET"]]
        + Array(repeating: envelope, count: contents.count)
    private static let contents = [
        [""], ["From: gone@sen"], ["From: gone@sender.example\r\n\r\n"],
        ["From: gone@sender.example\r\n\r\n", String(repeating: "body\r\n", count: 50_000)],
        ["From: gone@sender.example\r\n\r\nbody\r\n."],
    ]

    private static let rubbish: [[UInt8]] = {
        var state: UInt64 = 0x5EED
        func next() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        let random = (0..<40).map { size in (0..<(size * size)).map { _ in next() } }
        let opened = BadInputMilterPacket.phases.prefix(6).flatMap(\.bytes)
        // Without E, the end of a message: after RCPT that is a whole, if empty, mail.
        let framed = "ABCDHLMNOQRTUYZ*?".map { letter in
            opened + BadInputMilterPacket.packet(letter, (0..<200).map { _ in next() })
        }
        let empty = "ABCDHLMNOQRTU".map { opened + BadInputMilterPacket.packet($0) }
        let lengths = [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 20].map { (value: UInt32) in
            BadInputMilterPacket.length(value) + [UInt8](repeating: 0x4D, count: 100_000)
        }
        let unasked = ["E", "B", "L", "R", "T", "N", "A"].map { (letter: Character) in
            Array(BadInputMilterPacket.phases[1].bytes) + BadInputMilterPacket.packet(letter, [0])
        }
        let aborts = [opened + Array(repeating: BadInputMilterPacket.packet("A"), count: 1000).flatMap { $0 }]
        return random + framed + empty + lengths + unasked + aborts + [Array("GET / HTTP/1.1\r\n\r\n".utf8)]
    }()

    // MARK: Looking

    private static func expectSettled(_ stage: BadInputStage, descriptors: Int) async throws {
        // Postfix keeps its own connection to the milter for a while: two more are not a leak.
        try await eventually("the peers' descriptors are closed") {
            stage.daemon.process.openDescriptors <= descriptors + 2
        }
    }

    /// Sends block, and the threads of the pool are few.
    private static func blocking(_ work: @escaping @Sendable () -> Void) async {
        _ = try? await offPool { work() }
    }
}

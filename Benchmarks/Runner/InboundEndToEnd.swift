import Foundation
import ServerTestKit

/// A mail in until its automatic reply is handed to an SMTP server: the daemon as milter, against Dovecot's Sieve vacation
/// as the mail's delivery over LMTP.
///
/// One Postfix takes the mail for both: what is for the one domain passes our milter, whose route consumes it (`discard`);
/// what is for the other passes none and goes to Dovecot, whose script ends with `discard`. So neither keeps the mail, and both
/// hand their replies to the same sink. The sides take turns.
struct InboundEndToEnd {
    let programs: Programs

    private static let rounds = 3
    private static let users = 100
    private static let domain = "desk.example"
    private static let peerDomain = "robot.example"

    private struct Load {
        var sessions: Int
        var mails: Int
    }

    /// Trips of one mail alone, and as many mails as go through.
    private static let single = Load(sessions: 1, mails: 300)
    private static let many = Load(sessions: 20, mails: 2000)

    private struct Trip {
        var rate: Double
        var median: Double
        var slowest: Double
    }

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let sinkPort = try freePort()
        let database = directory.path("postrider.db")
        let settings = """
            \n  - domain: \(Self.domain)
                disposition: discard
            auto_replies:
              per_domain: 1000000
              per_hour: 10000000
            """
        let workflow = try directory.write("answer.yaml", Self.workflow)
        let daemon = try await DaemonUnderTest.start(
            programs, database: database, in: directory, relayPort: sinkPort, settings: settings,
            workflow: workflow)
        let dovecot = try await PrivateDovecot.start(
            in: directory, submissionPort: sinkPort, script: Self.script,
            settings: "service lmtp {\n  process_min_avail = 10\n}\nmail_fsync = optimized")
        let plainPort = try freePort()
        var configuration = PostfixConfiguration()
        configuration.domains = [Self.domain, Self.peerDomain]
        configuration.milters = ["unix:\(DaemonUnderTest.socket(in: directory))"]
        configuration.services = ["127.0.0.1:\(plainPort) inet n - n - - smtpd\n  -o smtpd_milters="]
        configuration.parameters["transport_maps"] =
            "inline:{ { \(Self.peerDomain) = lmtp:[127.0.0.1]:\(dovecot.port) } }"
        let postfix = try await PrivatePostfix.start(in: directory, configuration)
        var number = 0
        func trip(_ load: Load, ours: Bool) async throws -> Trip {
            number += 1
            try await eventually("Postfix's queue is empty", deadline: .seconds(60), every: .milliseconds(200)) {
                try await postfix.queueIDs().isEmpty
            }
            return try await self.trip(
                load, port: ours ? postfix.port : plainPort, sink: sinkPort,
                domain: ours ? Self.domain : Self.peerDomain, prefix: "m\(number)")
        }
        // Everybody's first time: processes start, folders are made.
        for ours in [true, false] { _ = try await trip(Load(sessions: 20, mails: 400), ours: ours) }
        var results: [(ours: Trip, peer: Trip, oursAlone: Trip, peerAlone: Trip)] = []
        for round in 1...Self.rounds {
            let first = round % 2 == 1
            let one = try await (trip(Self.many, ours: first), trip(Self.single, ours: first))
            let other = try await (trip(Self.many, ours: !first), trip(Self.single, ours: !first))
            let (ours, peer) = first ? (one, other) : (other, one)
            results.append((ours.0, peer.0, ours.1, peer.1))
            say(
                "  round \(round): ours \(short(ours.0.rate))/s, alone \(short(ours.1.median)) ms; "
                    + "Dovecot \(short(peer.0.rate))/s, alone \(short(peer.1.median)) ms")
        }
        try await postfix.stop()
        try await dovecot.stop()
        try await daemon.stop()
        try await directory.remove()
        return BenchmarkResult(
            value: median(results.map(\.ours.rate)), unit: "replies/s", against: "Dovecot Sieve vacation over LMTP",
            ratio: median(results.map { $0.ours.rate / $0.peer.rate }),
            more: [
                ("dovecot", median(results.map(\.peer.rate))),
                ("p50Milliseconds", median(results.map(\.oursAlone.median))),
                ("p99Milliseconds", median(results.map(\.oursAlone.slowest))),
                ("dovecotP50Milliseconds", median(results.map(\.peerAlone.median))),
                ("dovecotP99Milliseconds", median(results.map(\.peerAlone.slowest))),
                ("loadedP50Milliseconds", median(results.map(\.ours.median))),
                ("loadedP99Milliseconds", median(results.map(\.ours.slowest))),
                ("dovecotLoadedP99Milliseconds", median(results.map(\.peer.slowest))),
            ])
    }

    private func trip(_ load: Load, port: UInt16, sink: UInt16, domain: String, prefix: String) async throws -> Trip {
        let result = try await Privilege.run(
            [
                programs.path("mail-trip"), "\(port)", "\(sink)", "\(load.sessions)", "\(load.mails)", "\(Self.users)",
                domain, prefix,
            ], deadline: .seconds(240))
        let figures = result.output.split(separator: " ").compactMap {
            Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard result.succeeded, figures.count == 4, figures[0] > 0 else {
            throw BenchmarkFailure("mail-trip to \(domain) printed \(result.output)")
        }
        return Trip(rate: figures[3] / figures[0], median: figures[1], slowest: figures[2])
    }

    private static let script = """
        require ["vacation"];
        vacation :days 7 :subject "Away" "I am away.";
        discard;

        """

    private static let workflow = """
        workflow: answer
        enabled: true
        allowReentry: true
        trigger: {event: email.received}
        templates:
          answer: {type: TRANSACTIONAL, subject: Away, text: I am away.}
        steps:
          received: {type: TRIGGER, next: reply}
          reply: {type: SEND_EMAIL, config: {template: answer}}

        """
}

import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Synchronization
import WorkflowModel

/// An intake over a real store, for what its routes and sources say.
struct InboundStage {
    var engine: EngineFixture
    var database: TemporaryDatabase
    var intake: Intake
    var store: any Store { engine.context.store }

    init(
        _ routes: [InboundRoutes.Route], unknown: [String: InboundRoutes.UnknownRecipients] = [:],
        delimiter: Character? = "+", _ configure: (inout Intake.Configuration) -> Void = { _ in }
    ) async throws {
        (engine, database) = try await makeEngine()
        try await engine.apply(
            document(
                event: "email.received", reentry: true, steps: ["seen": ["type": "EXIT", "config": ["reason": "x"]]]))
        var configuration = Intake.Configuration()
        configuration.routes = InboundRoutes(routes, unknown: unknown, delimiter: delimiter)
        configuration.sources = PassiveSources([.rspamd(RspamdHeaders())])
        configure(&configuration)
        intake = Intake(context: engine.context, configuration: configuration)
    }

    static func route(
        _ address: String, _ disposition: InboundRoutes.Disposition = .continue,
        _ change: (inout InboundRoutes.Route) -> Void = { _ in }
    ) -> InboundRoutes.Route {
        let match: InboundRoutes.Route.Match = address.contains("@") ? .recipient(address) : .domain(address)
        var route = InboundRoutes.Route(match: match, project: "default", disposition: disposition)
        change(&route)
        return route
    }

    static func mail(
        _ id: String? = "m1@x", to recipients: [String] = ["help@example.com"], from sender: String = "ann@example.org",
        action: String? = nil, queueID: String = "4Q1", body: String = "Hello\r\n", date: String? = nil,
        fields: [HeaderField] = []
    ) -> ReceivedMessage {
        var headers = [HeaderField("From", " Ann <ann@example.org>"), HeaderField("Subject", " Hi")]
        if let id { headers.append(HeaderField("Message-ID", " <\(id)>")) }
        if let date { headers.append(HeaderField("Date", " \(date)")) }
        if let action { headers.append(HeaderField("X-Rspamd-Action", " \(action)")) }
        return ReceivedMessage(
            queueID: queueID, clientAddress: "198.51.100.7", clientName: "mx.example.org", helo: "mx.example.org",
            reversePath: sender, recipients: recipients, headers: headers + fields, body: Array(body.utf8))
    }

    func receive(_ message: ReceivedMessage, _ other: Intake? = nil) async -> Verdict {
        await withCheckedContinuation { continuation in
            (other ?? intake).receive(message) { continuation.resume(returning: $0) }
        }
    }

    /// The data of all `email.received`, oldest first.
    func events() async throws -> [JSONObject] {
        let project = engine.project.id
        return try await store.read {
            try $0.newestEventData(of: "email.received", in: project, among: 1000)
        }.reversed()
    }

    func outcomes() async throws -> [InboundOutcome] {
        let project = engine.project.id
        return try await store.read { try $0.inboundOutcomes(in: project, before: nil, limit: 100) }
    }

    func waiting() async throws -> Int {
        try await store.read { try $0.pendingMails(after: nil, limit: 100).count }
    }
}

/// A scanner that says what it is told, and remembers whom it was asked about.
final class ToldScanner: VerdictScanner {
    let source: String
    let checks: [VerdictCheck]
    private let outcome: Mutex<ScanOutcome>
    private let asked = Mutex<[ReceivedMessage]>([])

    init(_ source: String, _ checks: [VerdictCheck], _ outcome: ScanOutcome) {
        self.source = source
        self.checks = checks
        self.outcome = Mutex(outcome)
    }

    static func answering(_ source: String, _ check: VerdictCheck, _ verdict: ScanVerdict) -> ToldScanner {
        ToldScanner(source, [check], answer(source, check, verdict))
    }

    static func answer(_ source: String, _ check: VerdictCheck, _ verdict: ScanVerdict) -> ScanOutcome {
        var verdicts = ScanVerdicts()
        verdicts.add(VerdictFinding(check, source: source, verdict: verdict, value: "told", score: 1, threshold: 5))
        return .answered(verdicts)
    }

    func say(_ outcome: ScanOutcome) { self.outcome.withLock { $0 = outcome } }

    var messages: [ReceivedMessage] { asked.withLock { $0 } }

    func scan(_ message: ReceivedMessage, within limit: Duration) async -> ScanOutcome {
        asked.withLock { $0.append(message) }
        return outcome.withLock { $0 }
    }
}

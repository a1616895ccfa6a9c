import Engine
import HTTPAdapter
import JSONValue
import Logging
import ServiceLifecycle
import Synchronization
import Testing
import WorkflowModel

/// Stands still at a fixed time.
struct FixedClock: WallClock {
    static let start = Timestamp(seconds: 1_795_000_000)
    func now() -> Timestamp { Self.start }
    func sleep(until time: Timestamp) async throws {}
}

/// Good enough to tell inputs apart, and nothing else.
struct ToyCryptography: Cryptography {
    func digest(_ bytes: [UInt8]) -> [UInt8] {
        var state: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x0100_0000_01b3 }
        return (0..<32).map { index in
            state = (state ^ UInt64(index)) &* 0x0100_0000_01b3
            return UInt8(truncatingIfNeeded: state >> 32)
        }
    }
    func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8] { digest(key + bytes) }
    func randomBytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0) } }
}

/// Keeps what is logged, as one text for each line.
final class LogKeeper: Sendable {
    private let kept = Mutex<[String]>([])

    var lines: [String] { kept.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(keeper: self) } }

    private struct Handler: LogHandler {
        let keeper: LogKeeper
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            keeper.kept.withLock { $0.append("\(event.level) \(event.message) \(fields.joined(separator: " "))") }
        }
    }
}

/// A running server with a client, and the database and log behind it.
struct ServerFixture: Sendable {
    static let secretKey = "sk_secret"
    static let publicKey = "pk_public"
    static let project = Project(id: Identifier(high: 1, low: 1), slug: "default", name: "Default")

    let port: Int
    let store: FakeStore
    let context: EngineContext
    let log: LogKeeper
    let group: ServiceGroup

    var client: RawClient { RawClient(port: port) }

    /// With the secret key.
    func get(_ target: String, key: String? = secretKey) async throws -> Answer {
        try await client.request("GET", target, Self.authorization(key))
    }

    func track(_ body: String, key: String? = publicKey, _ fields: [(String, String)] = []) async throws -> Answer {
        try await client.request(
            "POST", "/v1/track", Self.authorization(key) + fields, body: Array(body.utf8))
    }

    static func authorization(_ key: String?) -> [(String, String)] {
        key.map { [("Authorization", "Bearer \($0)")] } ?? []
    }
}

/// Runs a server on a free port for as long as `body` takes, then shuts it down gracefully.
func withServer(
    _ configuration: HTTPConfiguration = HTTPConfiguration(port: 0),
    engine: EngineConfiguration = EngineConfiguration(),
    _ body: @Sendable (ServerFixture) async throws -> Void
) async throws {
    let store = FakeStore()
    let cryptography = ToyCryptography()
    store.change {
        $0.projects = [ServerFixture.project]
        $0.keys[cryptography.digest(Array(ServerFixture.secretKey.utf8))] = APIKey(
            id: Identifier(high: 2, low: 1), projectID: ServerFixture.project.id, kind: .secret)
        $0.keys[cryptography.digest(Array(ServerFixture.publicKey.utf8))] = APIKey(
            id: Identifier(high: 2, low: 2), projectID: ServerFixture.project.id, kind: .public)
    }
    let log = LogKeeper()
    let context = EngineContext(
        store: store, clock: FixedClock(), cryptography: cryptography, configuration: engine,
        secret: Array(repeating: 7, count: 32), logger: log.logger)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let server = HTTPServer(context: context, configuration: configuration) { _, port in continuation.yield(port) }
    let group = ServiceGroup(configuration: .init(services: [server], logger: log.logger))
    try await withThrowingTaskGroup { tasks in
        tasks.addTask {
            defer { continuation.finish() }
            try await group.run()
        }
        let port = try #require(await ports.first { _ in true }, "the server did not start")
        try await body(ServerFixture(port: port, store: store, context: context, log: log, group: group))
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

/// The members that make an error what it is.
func expectError(
    _ answer: Answer, _ status: Int, _ code: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    #expect(answer.status == status, sourceLocation: sourceLocation)
    let body = try JSONParser.parse(answer.body)
    #expect(body["success"] == false, sourceLocation: sourceLocation)
    #expect(body["error"]?["code"]?.stringValue == code, sourceLocation: sourceLocation)
    #expect(body["error"]?["statusCode"]?.intValue == Int64(status), sourceLocation: sourceLocation)
    #expect(body["error"]?["message"]?.stringValue?.isEmpty == false, sourceLocation: sourceLocation)
    #expect(body["error"]?["requestId"]?.stringValue == answer.field("X-Request-Id"), sourceLocation: sourceLocation)
    #expect(answer.field("X-Request-Id").flatMap { Identifier($0) } != nil, sourceLocation: sourceLocation)
    expectJSONFields(answer, sourceLocation: sourceLocation)
}

func expectJSONFields(_ answer: Answer, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(answer.field("Content-Type") == "application/json", sourceLocation: sourceLocation)
    #expect(answer.field("Cache-Control") == "no-store", sourceLocation: sourceLocation)
    #expect(answer.field("X-Content-Type-Options") == "nosniff", sourceLocation: sourceLocation)
}

/// The fields that an error complains about, in order.
func complaints(_ answer: Answer) throws -> [String] {
    try JSONParser.parse(answer.body)["error"]?["errors"]?.arrayValue?.compactMap { $0["field"]?.stringValue } ?? []
}

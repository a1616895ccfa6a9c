import Engine
import EngineTestKit
import HTTPTypes
import JSONValue
import Logging
import SQLStore
import ServiceLifecycle
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// A server over a real engine on a database of its own. Whatever it answers is held against the API's description.
struct EngineServer: Sendable {
    let client: RawClient
    let engine: EngineFixture
    let key: String
    let description: APIDescription

    struct Reply: Sendable {
        var status: Int
        /// Null for an answer without a body.
        var body: JSON
        var answer: Answer

        var code: String? { body["error"]?["code"]?.stringValue }
        /// The paths that an error complains about.
        var fields: [String] { body["error"]?["errors"]?.arrayValue?.compactMap { $0["field"]?.stringValue } ?? [] }
        var message: String { body["error"]?["message"]?.stringValue ?? "" }
    }

    func send(
        _ method: String, _ path: String, _ body: JSON? = nil, key other: String? = nil,
        fields more: [(String, String)] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Reply {
        let fields = [("Authorization", "Bearer \(other ?? key)"), ("Content-Type", "application/json")] + more
        let answer = try await client.request(method, path, fields, body: body.map { JSONWriter.bytes($0) })
        let value = answer.body.isEmpty ? JSON.null : try JSONParser.parse(answer.body)
        check(method, path, answer.status, value, sourceLocation)
        return Reply(status: answer.status, body: value, answer: answer)
    }

    private func check(_ method: String, _ path: String, _ status: Int, _ value: JSON, _ location: SourceLocation) {
        guard let endpoint = Endpoint.match(String(path.prefix { $0 != "?" }))?.endpoint, status != 405 else { return }
        let route = "\(method) \(endpoint.rawValue)"
        guard let response = description.response(route, status: status) else {
            Issue.record("\(route) answers \(status), which is not described: \(value)", sourceLocation: location)
            return
        }
        guard let schema = response["content"]?["application/json"]?["schema"] else {
            #expect(value.isNull, "\(route) \(status) has a body", sourceLocation: location)
            return
        }
        #expect(description.problems(of: value, schema) == [], "\(route) \(status)", sourceLocation: location)
    }

    // MARK: Short ways

    /// Makes a workflow and returns its path.
    func makeWorkflow(_ name: String = "Flow", event: String = "signed_up") async throws -> String {
        let reply = try await send("POST", "/workflows", ["name": .string(name), "eventName": .string(event)])
        #expect(reply.status == 201)
        return "/workflows/\(reply.body["id"]?.stringValue ?? "")"
    }

    /// Adds a step and returns its id.
    @discardableResult
    func addStep(_ workflow: String, _ type: String, _ name: String, _ config: JSON = [:]) async throws -> String {
        let reply = try await send(
            "POST", "\(workflow)/steps", ["type": .string(type), "name": .string(name), "config": config])
        #expect(reply.status == 201, "\(reply.body)")
        return reply.body["id"]?.stringValue ?? ""
    }

    /// A workflow of a delay of an hour and an EXIT, enabled.
    func makeDelayed() async throws -> String {
        let workflow = try await makeWorkflow()
        try await addStep(workflow, "DELAY", "Pause", ["amount": 1, "unit": "hours"])
        try await addStep(workflow, "EXIT", "End", ["reason": "done"])
        #expect(try await send("PATCH", workflow, ["enabled": true]).status == 200)
        return workflow
    }

    func finishDelays() async throws {
        engine.clock.advance(seconds: 3600)
        try await engine.runTimers()
    }
}

/// Runs a server over a real engine for as long as `body` takes. The project has the template `hello`.
func withEngine(
    _ configuration: HTTPConfiguration = HTTPConfiguration(port: 0),
    configure: (inout EngineConfiguration) -> Void = { _ in },
    over wrap: (SQLiteStore) -> any Store = { $0 }, keepsMail: Bool = false,
    _ body: @Sendable (EngineServer) async throws -> Void
) async throws {
    let database = try TemporaryDatabase()
    let store = try SQLiteStore(path: database.path, exclusively: false)
    var policy = RawMailPolicy()
    policy.keep = .always
    let engine = try await EngineFixture(
        store: wrap(store),
        rawMail: keepsMail ? RawMailFiles(besideDatabase: database.path, policy: policy) : nil
    ) { [policy] configuration in
        if keepsMail { configuration.rawMail = policy }
        configure(&configuration)
    }
    try await engine.apply([
        "workflow": "templates", "trigger": ["manual": true], "steps": ["start": ["type": "TRIGGER"]],
        "templates": ["hello": ["type": "TRANSACTIONAL", "subject": "Hello {{ contact.email }}", "text": "Hi"]],
    ])
    let key = try await Authentication(context: engine.context).create(.secret, project: Project.defaultSlug)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let server = HTTPServer(context: engine.context, configuration: configuration) { _, port in
        continuation.yield(port)
    }
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let group = ServiceGroup(configuration: .init(services: [server], logger: quiet))
    try await withThrowingTaskGroup { tasks in
        tasks.addTask {
            defer { continuation.finish() }
            try await group.run()
        }
        let port = try #require(await ports.first { _ in true }, "the server did not start")
        let client = RawClient(port: port)
        try await body(
            EngineServer(client: client, engine: engine, key: key, description: try APIDescription()))
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
    try store.close()
    withExtendedLifetime(database) {}
}

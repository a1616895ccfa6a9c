import Engine
import Glibc
import Logging
import MailModel
import ServiceLifecycle
import Synchronization

@testable import MilterAdapter

/// An intake that keeps what it gets and decides by the first recipient's local part.
final class ScriptedIntake: MessageIntake {
    private struct State {
        var messages: [String: ReceivedMessage] = [:]
        var readings: [String] = []
        var pending: [@Sendable (Verdict) -> Void] = []
        var submissions: [String: OwnSubmission] = [:]
        /// Messages that were said to be on their way beside each of these.
        var companies: [String: Int] = [:]
    }

    private let state = Mutex(State())

    func wants(recipient: String) -> Bool { !recipient.hasPrefix("nobody") }

    /// Queue ids of messages that were read, as often as they were.
    var readings: [String] { state.withLock { $0.readings } }

    func read(_ message: ReceivedMessage, others: Int) -> MessageRecording {
        state.withLock { $0.readings.append(message.queueID) }
        return { [self] in record(message, completion: $0) }
    }

    func read(_ submission: OwnSubmission, others: Int) -> MessageRecording {
        { [self] completion in
            state.withLock { state in
                state.submissions[submission.queueID] = submission
                state.companies[submission.queueID] = others
            }
            switch submission.recipients.first?.prefix(while: { $0 != "@" }) {
            case "nobody-twice": completion(.discard)
            case "nobody-later":
                completion(.tempfail(Reply(code: 451, enhancedCode: "4.3.0", text: "later")))
            default: completion(.continue)
            }
        }
    }

    func company(of queueID: String) -> Int? { state.withLock { $0.companies[queueID] } }
    func submission(_ queueID: String) -> OwnSubmission? { state.withLock { $0.submissions[queueID] } }

    private func record(_ message: ReceivedMessage, completion: @escaping @Sendable (Verdict) -> Void) {
        state.withLock { $0.messages[message.queueID] = message }
        switch message.recipients.first?.prefix(while: { $0 != "@" }) {
        case "reject": completion(.reject(Reply(code: 554, enhancedCode: "5.7.1", text: "100% no")))
        case "tempfail": completion(.tempfail(Reply(code: 450, enhancedCode: "4.2.0", text: "later")))
        case "discard": completion(.discard)
        case "quarantine": completion(.quarantine(reason: "looks odd"))
        case "silent": state.withLock { $0.pending.append(completion) }
        default: completion(.continue)
        }
    }

    func message(_ queueID: String) -> ReceivedMessage? { state.withLock { $0.messages[queueID] } }

    /// Messages that wait for a verdict.
    var silentCount: Int { state.withLock(\.pending.count) }

    /// Gives the verdict that silent messages have been waiting for.
    func speak(_ verdict: Verdict) {
        let pending = state.withLock { state in
            defer { state.pending = [] }
            return state.pending
        }
        pending.forEach { $0(verdict) }
    }
}

/// A server in this process: one shared fixture for the tests that can live together, and one for each that needs its own
/// configuration or end.
struct MilterFixture: Sendable {
    let directory: String
    let server: MilterServer
    let intake = ScriptedIntake()
    let services: ServiceGroup
    let running: Task<Void, any Error>
    var path: String { directory + "/m" }

    init(_ change: @Sendable (inout MilterConfiguration) -> Void = { _ in }) async throws {
        directory = try Self.temporaryDirectory()
        var configuration = MilterConfiguration(unixSocketPath: directory + "/m")
        configuration.tcp = .init(host: "127.0.0.1", port: 0)
        change(&configuration)
        let server = MilterServer(
            configuration: configuration, intake: intake,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        do { try server.open() } catch {
            rmdir(directory)
            throw error
        }
        self.server = server
        let services = ServiceGroup(
            configuration: .init(services: [server], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        self.services = services
        running = Task { try await services.run() }
        while !server.isServing { await Task.yield() }
    }

    static func temporaryDirectory() throws -> String {
        var template = Array("/tmp/milter-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw MilterClient.Failure.cannotConnect(errno) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func removeDirectory() {
        unlink(path)
        rmdir(directory)
    }

    /// Stops the server and removes what it leaves.
    func end() async throws {
        await services.triggerGracefulShutdown()
        try await running.value
        removeDirectory()
    }

    /// Waits until the gauges say so, at most 20 s.
    func reach(_ isReached: (MilterGauges) -> Bool) -> Bool { settle { isReached(server.gauges) } }

    /// Waits until it is so, at most 20 s.
    func settle(_ isReached: () -> Bool) -> Bool {
        for _ in 0..<4000 {
            if isReached() { return true }
            poll(nil, 0, 5)
        }
        return false
    }

    private static let kept = Mutex<MilterFixture?>(nil)

    /// The one of this process; its directory goes when the process ends.
    static let shared = Task {
        let fixture = try await MilterFixture {
            $0.bodyLimit = 200_000
            $0.headerCountLimit = 10_000
            $0.recipientLimit = 3
            $0.commitDeadline = .milliseconds(300)
            $0.allowsQuarantine = true
        }
        kept.withLock { $0 = fixture }
        atexit { MilterFixture.kept.withLock { $0 }?.removeDirectory() }
        return fixture
    }
}

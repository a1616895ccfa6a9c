import EngineTestKit
import Foundation
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowFiles
import WorkflowModel

@testable import Engine

/// The real engine over SQLite on a virtual clock, in the words of a simulation.
struct EngineRun {
    let engine: EngineFixture
    let transport = ScriptedTransport()
    let receiver = ScriptedReceiver()
    private let database: TemporaryDatabase

    init() async throws {
        database = try TemporaryDatabase()
        engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: false))
    }

    var now: Timestamp { engine.clock.now() }

    /// Fires every timer up to a time, each at its own; the webhooks that follow are called at once.
    func proceed(to time: Timestamp, inclusively: Bool = true) async throws {
        while let due = try await engine.context.store.write({ try $0.nextTimer() }),
            inclusively ? due <= time : due < time
        {
            engine.clock.advance(microseconds: max(0, due.microseconds - now.microseconds))
            try await engine.runTimers()
            try await engine.runWebhooks(receiver)
        }
        engine.clock.advance(microseconds: max(0, time.microseconds - now.microseconds))
    }

    func proceed(seconds: Int64) async throws { try await proceed(to: now.adding(seconds: seconds)) }

    /// An event of the system, or of a client when the name is free for it.
    func happen(_ name: String, _ data: JSONObject = [:], to email: String = "ann@example.org") async throws {
        if EventName.isReserved(EventName.canonical(name)) {
            let project = engine.project.id
            try await engine.context.transact { transaction in
                let recorder = EventRecorder(transaction: transaction, projectID: project)
                let contact = try recorder.upsert(email: email, subscribed: nil, subscribedWhenNew: true, data: [:])
                try recorder.record(EventName.canonical(name), data: data, generation: 0, contact: contact)
            }
        } else {
            try await engine.track(name, email, data: data)
        }
        try await engine.runWebhooks(receiver)
    }

    /// Subjects of the mails that left since the last call's, dispatching first.
    func subjects() async throws -> [String] {
        try await engine.runDispatch(transport)
        return transport.sent.map { mail in
            let lines = String(decoding: mail.bytes, as: UTF8.self).split(separator: "\r\n")
            return lines.first { $0.hasPrefix("Subject: ") }.map { String($0.dropFirst(9)) } ?? ""
        }
    }

    /// The path of the last execution, a line for each step.
    func path(of slug: String) async throws -> [String] {
        guard let execution = try await engine.executions(slug).last else { return [] }
        var lines = try await engine.steps(of: execution).map(Self.line)
        lines.append("\(execution.status.rawValue) \(execution.exitReason ?? "")")
        return lines
    }

    /// The same of a simulation.
    static func path(_ report: SimulationReport) -> [String] {
        report.visits.map { line($0.execution) }
            + ["\(report.execution.status.rawValue) \(report.execution.exitReason ?? "")"]
    }

    private static func line(_ step: StepExecution) -> String {
        let end = step.completedAt.map { "\($0)" } ?? "-"
        return
            "\(step.step) \(step.status.rawValue) \(step.startedAt) \(end) \(step.output["branch"]?.stringValue ?? "")"
    }
}

import ArgumentParser
import Engine
import Foundation
import JSONValue
import SQLStore
import Settings
import WorkflowFiles
import WorkflowModel

extension WorkflowCommand {
    struct Simulate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows what a workflow file would do for a contact; nothing is written, nothing is sent.",
            discussion: """
                Without --config nothing but the file is read, and the contact is made up. With it, the stored contact, the \
                project's templates and the configured sender are taken.

                Times are RFC 3339 or count from the start: +2d, +1d12h, -3h.
                """)

        @Option(help: "The configuration file of an installation to look into.")
        var config: String?

        @Option(help: "The contact's address.")
        var contact = "ann@example.org"

        @Option(help: "The contact's data as JSON, in place of what is stored.")
        var contactData: String?

        @Flag(help: "Take the contact to be unsubscribed.")
        var unsubscribed = false

        @Option(help: "An event that happens meanwhile: NAME@TIME or NAME@TIME=JSON. May be given many times.")
        var event: [String] = []

        @Option(help: "The data of the event that starts the run, as JSON.")
        var trigger: String?

        @Option(help: "The initial context as JSON.")
        var context: String?

        @Option(help: "What a WEBHOOK step is answered: STEP=STATUS or STEP=JSON. May be given many times.")
        var webhook: [String] = []

        @Option(help: "When the run starts (RFC 3339); default now.")
        var start: String?

        @Option(help: "Where the simulation stops; default +400d.")
        var horizon: String?

        @Flag(help: "Print everything as JSON, mails included.")
        var json = false

        @Argument(help: "The workflow file (YAML).")
        var file: String

        func run() throws {
            let file = try WorkflowCommand.read([file])[0]
            do {
                try file.checkTemplates()
            } catch {
                complain("\(error)")
                throw ExitCode(1)
            }
            for warning in file.warnings { complain(warning) }
            let request = try request()
            let configuration = try config.map(loadConfiguration)
            let report = try runBlocking {
                try await Self.simulate(request, file, configuration)
            }
            print(json ? JSONWriter.write(report.json) : SimulationTimeline(report).text)
        }

        private static func simulate(
            _ request: SimulationRequest, _ file: WorkflowFile, _ configuration: Configuration?
        ) async throws -> SimulationReport {
            do {
                if let configuration {
                    let (store, context) = try await Assembly(configuration: configuration, logger: .quiet)
                        .makeEngine(exclusively: false, makingDatabase: false)
                    defer { try? store.close() }
                    return try await Simulation(context: context).run(request, document: file.document)
                }
                return try await Assembly.withScratchEngine(project: file.document.project) { context in
                    try await Simulation(context: context).run(request, document: file.document)
                }
            } catch let error as UseCaseError {
                throw failure(error)
            }
        }

        private static func failure(_ error: UseCaseError) -> CommandFailure {
            let lines = error.problems.isEmpty ? ["\(error)"] : error.problems.map(\.description)
            return CommandFailure(lines.joined(separator: "\n"))
        }

        // MARK: The request

        private func request() throws -> SimulationRequest {
            var contact: JSONObject = ["email": .string(self.contact)]
            contact["data"] = try contactData.map { try parsed($0, "--contact-data") }
            if unsubscribed { contact["subscribed"] = false }
            var body: JSONObject = [
                "contact": .object(contact), "events": .array(try event.map(readEvent)),
                "webhooks": .object(JSONObject(try webhook.map(readWebhook))),
            ]
            body["context"] = try context.map { try parsed($0, "--context") }
            body["trigger"] = try trigger.map { ["data": try parsed($0, "--trigger")] }
            body["startAt"] = start.map { .string($0) }
            body["horizon"] = horizon.map { .string($0) }
            do {
                return try SimulationRequest(json: .object(body))
            } catch let error as UseCaseError {
                throw Self.failure(error)
            }
        }

        private func readEvent(_ text: String) throws -> JSON {
            // The name may hold an at sign, the data too: the last one before the data counts.
            let head = text.prefix { $0 != "=" }
            guard let at = head.lastIndex(of: "@") else {
                throw CommandFailure("--event \(text): must be NAME@TIME or NAME@TIME=JSON, for example opened@+2d")
            }
            var event: JSONObject = [
                "event": .string(String(head[..<at])), "at": .string(String(head[head.index(after: at)...])),
            ]
            if head.endIndex != text.endIndex {
                event["data"] = try parsed(String(text[head.endIndex...].dropFirst()), "--event \(head)")
            }
            return .object(event)
        }

        private func readWebhook(_ text: String) throws -> (String, JSON) {
            let step = text.prefix { $0 != "=" }
            let answer = String(text[step.endIndex...].dropFirst())
            guard !answer.isEmpty else { throw CommandFailure("--webhook \(text): must be STEP=STATUS or STEP=JSON") }
            if let status = Int64(answer) { return (String(step), ["status": .int(status)]) }
            return (String(step), try parsed(answer, "--webhook \(step)"))
        }

        private func parsed(_ text: String, _ option: String) throws -> JSON {
            do {
                return try JSONParser.parse(text)
            } catch {
                throw CommandFailure("\(option): is no JSON: \(error)")
            }
        }
    }
}

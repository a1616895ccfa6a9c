import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

/// An engine with the templates of a project.
struct TemplateStage {
    let engine: EngineFixture
    let database: TemporaryDatabase
    var templates: Templates { Templates(context: engine.context, projectID: engine.project.id) }

    @discardableResult
    func make(
        _ name: String, kind: TemplateSummary.Kind = .transactional, subject: String = "S", html: String? = nil,
        text: String? = nil, markdown: String? = nil, from: String? = nil, fromName: String? = nil
    ) async throws -> Catalog.TemplateRecord {
        try await templates.create(
            NewTemplate(
                name: name, kind: kind,
                content: TemplateContent(
                    subject: kind == .partial ? "" : subject, html: html, text: text, markdown: markdown,
                    from: from,
                    fromName: fromName))
        ).template
    }

    func partial(_ name: String, html: String? = nil, text: String? = nil) async throws -> Catalog.TemplateRecord {
        try await make(name, kind: .partial, html: html, text: text)
    }

    /// What a mail of the template says, sent by a workflow to a new contact.
    func sent(_ template: String, data: JSONObject = [:]) async throws -> String {
        try await engine.apply(flow(template))
        try await engine.track("signed_up", data: data)
        return try await dispatched().last ?? ""
    }

    func dispatched() async throws -> [String] {
        let transport = ScriptedTransport()
        try await engine.runDispatch(transport)
        return transport.sent.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    func flow(_ template: String, slug: String = "flow") -> JSON {
        document(
            reentry: true, slug: slug,
            steps: ["mail": ["type": "SEND_EMAIL", "config": ["template": .string(template)]]], templates: [:])
    }

    static func set() async throws -> TemplateStage {
        let (engine, database) = try await makeEngine()
        return TemplateStage(engine: engine, database: database)
    }

    /// What a refusal complains about, with the places.
    static func refusal(
        _ code: UseCaseError.Code, _ body: () async throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) async -> [String] {
        let error = await #expect(throws: UseCaseError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == code, sourceLocation: sourceLocation)
        return error?.problems.map { problem in
            let place = problem.place.map { ":\($0.line):\($0.column ?? 0)" } ?? ""
            return "\(problem.path)\(place) \(problem.message)"
        } ?? []
    }
}

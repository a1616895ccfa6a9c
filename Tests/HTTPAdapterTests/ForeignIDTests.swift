import Engine
import EngineTestKit
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// What belongs to another project is not there, on every path that names anything.
@Suite struct ForeignIDTests {
    /// Parameters that name nothing of a project.
    private static let impersonal: Set<String> = ["token"]

    @Test func everyPathAnswersAForeignIDAsOneThatIsNotThere() async throws {
        try await withEngine { server in
            let ids = try await Self.things(of: server)
            try await Projects(context: server.engine.context).create("other")
            let other = try await Authentication(context: server.engine.context).create(.secret, project: "other")
            for (route, operation) in server.description.operations {
                let parts = route.split(separator: " ").map(String.init)
                guard parts[1].contains("{"), !Self.impersonal.contains(where: { parts[1].contains("{\($0)}") })
                else { continue }
                let path = Self.path(parts[1], ids)
                let content = operation["requestBody"]?["content"]
                // What is no JSON is read as it comes, and has its own tests.
                guard content == nil || content?["application/json"] != nil else { continue }
                let reply = try await server.send(
                    parts[0], path, content?["application/json"]?["example"], key: other)
                #expect(reply.status == 404, "\(route) as \(path): \(reply.body)")
                if parts[0] != "HEAD" { #expect(reply.code == "not_found", "\(route)") }
            }
            // For those whose it is, it was there all the time.
            let own = try await server.send("GET", "/webhooks/\(ids["webhookId"] ?? "")/deliveries")
            #expect(own.body["data"]?.arrayValue?.map { $0["id"]?.stringValue } == [ids["deliveryId"]])
        }
    }

    /// Everything that the first project has, by the name of the parameter.
    private static func things(of server: EngineServer) async throws -> [String: String] {
        let workflow = try await server.makeDelayed()
        _ = try await server.send("POST", "/v1/track", ["event": "signed_up", "email": "ann@example.org"])
        let steps = try await server.send("GET", workflow).body["steps"]?.arrayValue ?? []
        let runs = try await server.send("GET", "\(workflow)/executions").body["data"]?.arrayValue ?? []
        let contact = try await server.engine.contact()
        let broadcast = try await server.send("POST", "/broadcasts", ["name": "B", "template": "hello"])
        let webhook = try await server.send(
            "POST", "/webhooks", ["url": "https://hooks.example/in", "events": ["signed_up"]])
        let webhookID = webhook.body["id"]?.stringValue ?? ""
        let delivery = try await server.send("POST", "/webhooks/\(webhookID)/test")
        return [
            "workflowId": String(workflow.dropFirst("/workflows/".count)),
            "stepId": steps.last?["id"]?.stringValue ?? "end", "transitionId": "pause",
            "executionId": runs.first?["id"]?.stringValue ?? "",
            "contactId": "\(contact?.id ?? .init(high: 0, low: 0))",
            "broadcastId": broadcast.body["id"]?.stringValue ?? "", "webhookId": webhookID,
            "deliveryId": delivery.body["id"]?.stringValue ?? "",
        ]
    }

    private static func path(_ template: String, _ ids: [String: String]) -> String {
        template.split(separator: "/", omittingEmptySubsequences: false).map { segment in
            guard segment.first == "{", let end = segment.firstIndex(of: "}") else { return String(segment) }
            let name = String(segment[segment.index(after: segment.startIndex)..<end])
            // Where nothing is known of a thing, one that is nobody's stands for one that is another's.
            return (ids[name] ?? "\(Identifier(high: 77, low: 1))") + segment[segment.index(after: end)...]
        }.joined(separator: "/")
    }
}

import Foundation
import Engine
import HTTPTypes
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

@Suite struct DescriptionTests {
    private let description: APIDescription

    init() throws { description = try APIDescription() }

    @Test func everyRouteIsDescribedAndNothingElse() {
        let served = Endpoint.allCases.flatMap { endpoint in
            endpoint.methods.map { "\($0.rawValue) \(endpoint.rawValue)" }
        }
        #expect(Set(description.operations.map(\.route)) == Set(served))
    }

    @Test func theServerHoldsTheFile() async throws {
        let text = DescriptionText.json.description
        #expect(
            try JSONParser.parse(text) == description.root,
            "Documentation/openapi.yaml has changed: `make docs` writes the source file anew")
        try await withEngine { server in
            let answer = try await server.client.request("GET", "/openapi.json")
            #expect(answer.status == 200 && answer.field("Content-Type") == "application/json")
            #expect(answer.body == Array(text.utf8))
        }
    }

    @Test func everyErrorCodeIsDescribedAndNothingElse() {
        let error = description.root["components"]?["schemas"]?["Error"]?["properties"]?["error"]
        let codes = error?["properties"]?["code"]?["enum"]?.arrayValue?.compactMap(\.stringValue)
        #expect(codes == APIError.Code.allCases.map(\.rawValue))
    }

    /// What is wrong with the examples of a body, of whatever type it is. A picture has none.
    private func problems(ofExamplesIn body: JSON?, at place: String) -> [String] {
        var problems: [String] = []
        for (type, content) in body?["content"]?.objectValue ?? [:] where !type.hasPrefix("image/") {
            if let example = content["example"] {
                problems += description.problems(of: example, content["schema"] ?? .null, at: "\(place) \(type)")
            } else {
                problems.append("\(place) \(type): has no example")
            }
        }
        return problems
    }

    /// Requests and answers with a body have an example, and it is what its schema says.
    @Test func everyExampleIsAsItsSchemaSays() {
        for (route, operation) in description.operations where !route.hasPrefix("HEAD") {
            var bodies = [("request", operation["requestBody"])]
            for (status, response) in operation["responses"]?.objectValue ?? [:] {
                let isReference = response["$ref"] != nil
                if !isReference, Int(status).map({ $0 < 300 }) == true { bodies.append((status, response)) }
            }
            for (name, body) in bodies { #expect(problems(ofExamplesIn: body, at: "\(route) \(name)") == []) }
        }
        for (name, response) in description.root["components"]?["responses"]?.objectValue ?? [:] {
            #expect(response["content"] != nil, "\(name)")
            #expect(problems(ofExamplesIn: response, at: name) == [])
        }
    }

    /// Something of every route is shown as it may be: a parameter, the request or a good answer. HEAD is GET without the
    /// answer's body, and OPTIONS is what browsers ask by themselves.
    @Test func everyRouteHasAnExample() {
        for (path, item) in description.root["paths"]?.objectValue ?? [:] {
            let shared = item["parameters"]?.arrayValue ?? []
            for (method, operation) in item.objectValue ?? [:]
            where !["parameters", "head", "options"].contains(method) {
                let parameters = (shared + (operation["parameters"]?.arrayValue ?? [])).map(description.resolved)
                var bodies = [description.resolved(operation["requestBody"] ?? .null)]
                for (status, response) in operation["responses"]?.objectValue ?? [:] where status.hasPrefix("2") {
                    bodies.append(description.resolved(response))
                }
                var hasExample = false
                for body in bodies {
                    for (_, content) in body["content"]?.objectValue ?? [:] where content["example"] != nil {
                        hasExample = true
                    }
                }
                for parameter in parameters {
                    guard let example = parameter["example"] else { continue }
                    hasExample = true
                    let place = "\(method) \(path) \(parameter["name"]?.stringValue ?? "")"
                    #expect(description.problems(of: example, parameter["schema"] ?? .null, at: place) == [])
                }
                #expect(hasExample, "\(method) \(path) has no example of anything")
            }
        }
    }

    @Test func everyPathParameterIsDescribed() {
        for (path, item) in description.root["paths"]?.objectValue ?? [:] {
            let wanted = path.split(separator: "{").dropFirst().map { String($0.prefix { $0 != "}" }) }
            let shared = (item["parameters"]?.arrayValue ?? []).map { description.resolved($0)["name"]?.stringValue }
            #expect(shared.compactMap(\.self) == wanted, "\(path)")
        }
    }

    @Test func requestBodiesAreReadAsDescribed() throws {
        let unknown: JSON = ["no such member": 1]
        let readers: [(String, (JSON) throws -> Void)] = [
            ("NewWorkflow", { _ = try NewWorkflow($0) }), ("WorkflowChanges", { _ = try WorkflowChanges($0) }),
            ("BulkUpdate", { _ = try BulkUpdate($0) }), ("NewStep", { _ = try NewStep($0, connects: true) }),
            ("InsertedStep", { _ = try NewStep($0, connects: false) }),
            ("StepChanges", { _ = try StepChanges($0) }), ("NewTransition", { _ = try Transition($0) }),
            ("NewExecution", { _ = try StartRequest($0) }),
            ("NewTemplate", { _ = try NewTemplate($0) }), ("TemplateChanges", { _ = try TemplateChanges($0) }),
            ("TemplateIds", { _ = try TemplateIDs($0) }), ("PreviewRequest", { _ = try PreviewRequest($0) }),
            ("UnsavedPreview", { _ = try UnsavedPreview($0) }), ("TestRequest", { _ = try TestRequest($0) }),
            ("NewContact", { _ = try ContactRequest($0) }),
            ("ContactChanges", { _ = try Contacts.Changes($0) }), ("ContactLookup", { _ = try LookupRequest($0) }),
            ("ContactQuery", { _ = try ContactListRequest($0) }),
            ("BulkContacts", { _ = try BulkContactRequest($0) }),
            ("NewSegment", { _ = try Segments.New($0) }),
            ("SegmentChanges", { _ = try Segments.Changes($0) }),
            ("SegmentAdmission", { _ = try Segments.Admission($0) }),
            ("SegmentRemoval", { _ = try SegmentRemoval($0) }),
            ("NewBroadcast", { _ = try NewBroadcast($0) }), ("BroadcastChanges", { _ = try BroadcastChanges($0) }),
            ("BroadcastTime", { _ = try BroadcastTime($0) }), ("WinnerChoice", { _ = try WinnerChoice($0) }),
            ("BroadcastTest", { _ = try BroadcastTest($0) }),
            ("NewWebhook", { _ = try Webhooks.New($0) }),
            ("WebhookChanges", { _ = try Webhooks.Changes($0) }),
            ("WebhookReplay", { _ = try Webhooks.ReplayRequest($0) }),
            ("Migration", { _ = try MigrationRequest($0) }),
        ]
        for (name, read) in readers {
            let schema = try #require(description.root["components"]?["schemas"]?[name])
            let error = #expect(throws: APIError.self) { try read(unknown) }
            let message = error?.problems.first { $0.field == "no such member" }?.message ?? ""
            let described = (schema["properties"]?.objectValue.map { Array($0.keys) } ?? []).sorted().joined(
                separator: ", ")
            #expect(message.hasSuffix("known are \(described)"), "\(name): \(message)")
            let missing = Set(
                (error?.problems ?? []).filter {
                    $0.message.hasPrefix("is missing") || $0.message.hasPrefix("must be a list")
                }.map(\.field))
            let required = Set((schema["required"]?.arrayValue ?? []).compactMap(\.stringValue))
            #expect(missing == required, "\(name)")
        }
    }

    /// By a validator of others, where it is installed.
    @Test func itIsValidOpenAPI() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            """
            import sys
            try:
                import yaml
                from openapi_spec_validator import validate
            except ImportError as error:
                print(error)
                sys.exit(77)
            validate(yaml.safe_load(open(sys.argv[1])))
            """, APIDescription.file.path,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if process.terminationStatus == 77 || process.terminationStatus == 127 {
            print("skipped: the description is not validated, python3 with openapi-spec-validator is missing: \(text)")
            return
        }
        #expect(process.terminationStatus == 0, "\(text)")
    }
}

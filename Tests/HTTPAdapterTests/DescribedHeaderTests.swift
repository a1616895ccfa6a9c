import Engine
import EngineTestKit
import HTTPTypes
import JSONValue
import Testing
import WorkflowModel

@testable import HTTPAdapter

/// The header fields that the description names are those that come, and the other way round.
@Suite struct DescribedHeaderTests {
    private let description: APIDescription
    private static let rates = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]

    init() throws { description = try APIDescription() }

    private func parameters(_ operation: JSON) -> [String] {
        (operation["parameters"]?.arrayValue ?? []).map(description.resolved)
            .filter { $0["in"] == "header" }.compactMap { $0["name"]?.stringValue }
    }

    private func headers(_ response: JSON) -> Set<String> {
        Set(description.resolved(response)["headers"]?.objectValue.map { Array($0.keys) } ?? [])
    }

    @Test func everyOperationNamesWhatItsRouteTakesAndGives() {
        for (route, operation) in description.operations {
            let parts = route.split(separator: " ")
            guard let method = HTTPRequest.Method(String(parts[0])), let endpoint = Endpoint(rawValue: String(parts[1]))
            else { continue }
            let takesKey = method == .post && endpoint.isWriting(.post)
            #expect(parameters(operation) == (takesKey ? ["Idempotency-Key"] : []), "\(route)")
            // What pages of other origins ask first is answered before anything is counted.
            let isCounted = method != .options && endpoint.rateClass(for: method) != nil
            for (status, response) in operation["responses"]?.objectValue ?? [:] where status.hasPrefix("2") {
                let named = headers(response)
                #expect(named.contains("Idempotent-Replayed") == takesKey, "\(route) \(status)")
                #expect(named.intersection(Self.rates) == (isCounted ? Set(Self.rates) : []), "\(route) \(status)")
            }
            if takesKey {
                let responses = operation["responses"]
                let conflict = headers(responses?["409"] ?? .null)
                #expect(conflict.contains("Retry-After"), "\(route)")
                #expect(responses?["400"] != nil, "\(route)")
            }
            if endpoint.scope(for: method) != nil, method != .head, method != .options {
                let tooMany = headers(operation["responses"]?["429"] ?? .null)
                #expect(tooMany.isSuperset(of: Self.rates + ["Retry-After"]), "\(route)")
            }
        }
    }

    @Test func whatIsNamedComes() async throws {
        var configuration = HTTPConfiguration(port: 0)
        let rate = Rate(perSecond: 1, burst: 3)
        configuration.rates = RequestRates(isEnabled: true, track: rate, send: rate, contacts: rate)
        try await withEngine(configuration) { server in
            let mail: JSON = ["to": "ann@example.org", "subject": "S", "body": "B"]
            let requests: [(String, String, String, JSON?)] = [
                ("POST /v1/track", "POST", "/v1/track", ["event": "e", "email": "ann@example.org"]),
                ("POST /v1/send", "POST", "/v1/send", mail),
                ("POST /contacts", "POST", "/contacts", ["email": "ann@example.org"]),
                ("POST /workflows", "POST", "/workflows", ["name": "Flow", "eventName": "e"]),
                ("GET /contacts", "GET", "/contacts", nil),
                ("POST /contacts/lookup", "POST", "/contacts/lookup", ["emails": ["ann@example.org"]]),
            ]
            for (route, method, path, body) in requests {
                let key = [("Idempotency-Key", route)]
                for isRepetition in [false, true] {
                    let reply = try await server.send(method, path, body, fields: key)
                    let named = headers(description.response(route, status: reply.status) ?? .null)
                    #expect(reply.status < 300)
                    for field in Self.rates {
                        let value = reply.answer.field(field)
                        #expect((value != nil) == named.contains(field), "\(route) \(field)")
                        #expect(value.map { Int($0) != nil } ?? true)
                    }
                    let isReplayed = reply.answer.field("Idempotent-Replayed") != nil
                    #expect(isReplayed == (isRepetition && named.contains("Idempotent-Replayed")), "\(route)")
                }
            }
            // The bucket is empty now.
            var last = try await server.send("POST", "/v1/send", mail)
            for _ in 0..<3 where last.status != 429 { last = try await server.send("POST", "/v1/send", mail) }
            #expect(last.status == 429)
            for field in Self.rates + ["Retry-After"] {
                #expect(last.answer.field(field).flatMap { Int($0) } != nil, "\(field)")
            }
            let wrong = try await server.send(
                "POST", "/workflows", ["name": "Flow", "eventName": "e"], fields: [("Idempotency-Key", "k\u{e9}y")])
            #expect(wrong.status == 400)
        }
    }
}

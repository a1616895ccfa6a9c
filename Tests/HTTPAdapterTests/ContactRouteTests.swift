import Engine
import EngineTestKit
import Foundation
import HTTPAdapter
import JSONValue
import Testing
import WorkflowModel

@Suite struct ContactRouteTests {
    private func make(_ server: EngineServer, _ email: String, _ data: JSON = [:]) async throws -> String {
        let reply = try await server.send("POST", "/contacts", ["email": .string(email), "data": data])
        #expect(reply.status == 201)
        return reply.body["id"]?.stringValue ?? ""
    }

    @Test func contactIsMadeAndThenBroughtUpToDate() async throws {
        try await withEngine { server in
            let first = try await server.send(
                "POST", "/contacts", ["email": " Ann@Example.org", "data": ["plan": "free", "age": 3]])
            #expect(first.status == 201)
            #expect(first.body["_meta"] == ["isNew": true, "isUpdate": false])
            #expect(first.body["subscribed"] == true && first.body["email"] == "ann@example.org")
            let second = try await server.send(
                "POST", "/contacts",
                ["email": "ann@example.org", "subscribed": false, "data": ["age": nil, "plan": ""]])
            #expect(second.status == 200)
            #expect(second.body["_meta"] == ["isNew": false, "isUpdate": true])
            #expect(second.body["data"] == ["plan": "free"] && second.body["subscribed"] == false)
            #expect(second.body["id"] == first.body["id"])
        }
    }

    @Test func bodiesAreRefusedWithEveryPath() async throws {
        try await withEngine { server in
            let reply = try await server.send(
                "POST", "/contacts",
                [
                    "email": "nobody", "subscribed": "yes", "data": ["id": 1, "locale": 7, "__proto__": 1],
                    "name": "Ann",
                ])
            #expect(reply.status == 422 && reply.code == "validation_error")
            #expect(Set(reply.fields) == ["email", "subscribed", "data.id", "data.locale", "name"])
            #expect(try await server.send("POST", "/contacts", ["data": 3]).fields == ["email", "data"])
            let id = try await make(server, "ann@example.org", ["__proto__": ["a": 1], "constructor": "b"])
            let contact = try await server.send("GET", "/contacts/\(id)")
            #expect(contact.body["data"] == ["__proto__": ["a": 1], "constructor": "b"])
            let large = try await server.send(
                "POST", "/contacts",
                ["email": "ann@example.org", "data": ["a": .string(String(repeating: "x", count: Contact.dataLimit))]])
            #expect(large.status == 422 && large.fields == ["data"])
        }
    }

    @Test func contactIsChangedInPlace() async throws {
        try await withEngine { server in
            let id = try await make(server, "ann@example.org", ["plan": "free", "age": 3])
            _ = try await make(server, "bob@example.org")
            let changed = try await server.send(
                "PATCH", "/contacts/\(id)",
                ["email": "Ann.Lee@example.org", "subscribed": false, "data": ["plan": "pro", "age": nil]])
            #expect(changed.status == 200 && changed.body["email"] == "ann.lee@example.org")
            #expect(changed.body["data"] == ["plan": "pro"] && changed.body["subscribed"] == false)
            let taken = try await server.send("PATCH", "/contacts/\(id)", ["email": "BOB@example.org"])
            #expect(taken.status == 409 && taken.code == "conflict" && taken.fields == ["email"])
            let bad = try await server.send(
                "PATCH", "/contacts/\(id)", ["email": nil, "data": ["unsubscribeUrl": "x", "locale": []]])
            #expect(Set(bad.fields) == ["email", "data.unsubscribeUrl", "data.locale"])
            #expect(try await server.send("PATCH", "/contacts/\(id)", [:]).body == changed.body)
            #expect(try await server.send("GET", "/contacts/\(id)").body == changed.body)
            let project = server.engine.project.id
            let events = try await server.engine.context.store.read {
                try $0.newestEventData(of: "contact.unsubscribed", in: project, among: 100).count
            }
            #expect(events == 1)
        }
    }

    @Test func deletedContactIsGone() async throws {
        try await withEngine { server in
            let id = try await make(server, "ann@example.org")
            #expect(try await server.send("DELETE", "/contacts/\(id)").status == 204)
            #expect(try await server.send("DELETE", "/contacts/\(id)").code == "not_found")
            #expect(try await server.send("GET", "/contacts/\(id)").status == 404)
            #expect(try await server.send("GET", "/contacts").body["total"] == 0)
        }
    }

    @Test func contactsOfAnotherProjectAreNotFound() async throws {
        try await withEngine { server in
            let id = try await make(server, "ann@example.org")
            let context = server.engine.context
            let other = Project(id: Identifier(high: 77, low: 1), slug: "other", name: "Other")
            try await context.store.write { try $0.insert(other, at: context.clock.now()) }
            let secret = "sk_of_another_project"
            let key = APIKey(id: Identifier(high: 77, low: 2), projectID: other.id, kind: .secret)
            let hash = context.cryptography.digest(Array(secret.utf8))
            try await context.store.write { try $0.insert(key, hash: hash, at: context.clock.now()) }
            for (method, body) in [("GET", nil), ("PATCH", [:]), ("DELETE", nil)] as [(String, JSON?)] {
                let reply = try await server.send(method, "/contacts/\(id)", body, key: secret)
                #expect(reply.status == 404 && reply.code == "not_found", "\(method)")
            }
            let looked = try await server.send("POST", "/contacts/lookup", ["emails": ["ann@example.org"]], key: secret)
            #expect(looked.body["missing"] == ["ann@example.org"])
            let bulk = try await server.send(
                "POST", "/contacts/bulk", ["action": "delete", "ids": [.string(id)]], key: secret)
            #expect(bulk.body["results"]?.arrayValue?.first?["status"] == "notFound")
            let job = try await server.send(
                "POST", "/contacts/bulk", ["action": "delete", "query": ["all": true]])
            let path = "/contacts/jobs/\(job.body["id"]?.stringValue ?? "")"
            #expect(try await server.send("GET", path, key: secret).status == 404)
            #expect(try await server.send("DELETE", path, key: secret).status == 404)
            #expect(try await server.send("GET", "\(path)/errors.csv", key: secret).status == 404)
        }
    }

    @Test func listsComeInPages() async throws {
        try await withEngine { server in
            for number in 1...5 {
                _ = try await make(server, "c\(number)@example.org", ["n": .int(Int64(number))])
                server.engine.clock.advance(seconds: 1)
            }
            let first = try await server.send("GET", "/contacts?limit=2")
            #expect(first.body["data"]?.arrayValue?.count == 2 && first.body["hasMore"] == true)
            #expect(first.body["total"] == 5)
            let cursor = first.body["cursor"]?.stringValue ?? ""
            let second = try await server.send("GET", "/contacts?limit=100000&cursor=\(cursor)")
            #expect(second.body["data"]?.arrayValue?.count == 3 && second.body["hasMore"] == false)
            #expect(second.body["cursor"] == nil || second.body["cursor"]?.isNull == true)
            #expect(second.body["total"] == 5)
            let found = try await server.send("GET", "/contacts?search=C3@&subscribed=true")
            #expect(found.body["data"]?.arrayValue?.first?["email"] == "c3@example.org" && found.body["total"] == 1)
            let bad = try await server.send("GET", "/contacts?limit=0&cursor=x&subscribed=maybe")
            #expect(Set(bad.fields) == ["limit", "cursor", "subscribed"])
        }
    }

    @Test func queriesHaveFilters() async throws {
        try await withEngine { server in
            for number in 1...5 { _ = try await make(server, "c\(number)@example.org", ["n": .int(Int64(number))]) }
            let filter: JSON = [
                "logic": "AND", "groups": [["filters": [["field": "data.n", "operator": "greaterThan", "value": 3]]]],
            ]
            let reply = try await server.send("POST", "/contacts/query", ["filter": filter, "limit": 1])
            #expect(reply.status == 200 && reply.body["data"]?.arrayValue?.count == 1)
            #expect(reply.body["hasMore"] == true)
            let bad = try await server.send(
                "POST", "/contacts/query", ["filter": ["logic": "XOR", "groups": []], "cursor": "?", "limit": 0])
            #expect(bad.status == 422)
            #expect(Set(bad.fields) == ["filter.logic", "filter.groups", "cursor", "limit"])
            var deep: JSON = ["logic": "AND", "groups": [["filters": [["field": "email", "operator": "exists"]]]]]
            for _ in 0..<Filter.depthLimit { deep = ["logic": "AND", "groups": [["conditions": deep]]] }
            let tooDeep = try await server.send("POST", "/contacts/query", ["filter": deep])
            #expect(tooDeep.status == 422 && tooDeep.fields.first?.hasPrefix("filter.groups.0.conditions") == true)
            for _ in 0..<Filter.depthLimit { deep = ["logic": "AND", "groups": [["conditions": deep]]] }
            // Deeper than any JSON that is taken.
            #expect(try await server.send("POST", "/contacts/query", ["filter": deep]).code == "invalid_json")
        }
    }

    @Test func addressesAreLookedUp() async throws {
        try await withEngine { server in
            _ = try await make(server, "ann@example.org")
            let reply = try await server.send(
                "POST", "/contacts/lookup", ["emails": ["ANN@example.org", "bob@example.org", "ann@example.org"]])
            #expect(reply.body["found"]?.arrayValue?.map { $0["email"] } == ["ann@example.org"])
            #expect(reply.body["missing"] == ["bob@example.org"])
            let many = JSON.array((0...500).map { .string("c\($0)@example.org") })
            #expect(try await server.send("POST", "/contacts/lookup", ["emails": many]).fields == ["emails"])
            #expect(
                try await server.send("POST", "/contacts/lookup", ["emails": ["", 3]]).fields == [
                    "emails.0", "emails.1",
                ])
        }
    }

    @Test func manyAreChangedByTheirIDs() async throws {
        try await withEngine { server in
            let ids = [try await make(server, "ann@example.org"), try await make(server, "bob@example.org")]
            let reply = try await server.send(
                "POST", "/contacts/bulk",
                [
                    "action": "update", "ids": [.string(ids[0]), "019aaf4b-5c00-7a52-9d7d-5a2b8a4c1e99"],
                    "data": ["plan": "pro"],
                ])
            #expect(reply.status == 200)
            #expect(reply.body["results"]?.arrayValue?.map { $0["status"] } == ["updated", "notFound"])
            #expect(reply.body["succeeded"] == 1 && reply.body["failed"] == 1)
            let many = JSON.array((0...1000).map { .string("\(Identifier(high: 1, low: UInt64($0)))") })
            for (body, fields) in [
                (["action": "delete"], ["ids"]), (["action": "explode", "ids": [.string(ids[0])]], ["action"]),
                (["action": "import", "ids": [.string(ids[0])]], ["action"]),
                (["action": "delete", "ids": many], ["ids"]),
                (["action": "delete", "ids": [.string(ids[0])], "query": ["all": true]], ["ids"]),
                (["action": "delete", "ids": ["x"]], ["ids.0"]), (["action": "delete", "query": [:]], ["query"]),
                (
                    ["action": "delete", "query": ["filter": [:]]],
                    ["query.filter.logic", "query.filter.groups", "query"]
                ),
                (["action": "update", "query": ["all": true]], ["data"]),
                (["action": "delete", "query": ["all": true, "search": "c1"]], ["query.all"]),
                (["action": "delete", "query": ["all": true, "subscribed": false]], ["query.all"]),
                (["action": "update", "ids": [.string(ids[0])], "data": ["id": 1]], ["data.id"]),
            ] as [(JSON, [String])] {
                let refused = try await server.send("POST", "/contacts/bulk", body)
                #expect(refused.status == 422 && Set(refused.fields) == Set(fields), "\(body): \(refused.body)")
            }
            #expect(try await server.send("GET", "/contacts").body["total"] == 2)
        }
    }

    @Test func manyAreChangedByAJob() async throws {
        try await withEngine { server in
            for number in 1...5 { _ = try await make(server, "c\(number)@example.org") }
            let begun = try await server.send(
                "POST", "/contacts/bulk", ["action": "unsubscribe", "query": ["search": "c1"]])
            #expect(begun.status == 202 && begun.body["status"] == "running" && begun.body["progress"] == 0)
            let path = begun.answer.field("Location") ?? ""
            try await server.engine.runJobs()
            let ended = try await server.send("GET", path)
            #expect(ended.body["status"] == "completed" && ended.body["progress"] == 1)
            #expect(ended.body["counts"]?["updated"] == 1 && ended.body["counts"]?["read"] == 5)
            #expect(try await server.send("DELETE", path).code == "conflict")
            let list = try await server.send("GET", "/contacts/jobs")
            #expect(list.body["data"]?.arrayValue?.map { $0["id"] } == [begun.body["id"]])
            #expect(try await server.send("GET", "/contacts?subscribed=false").body["total"] == 1)
        }
    }

    // MARK: Files

    private func upload(
        _ server: EngineServer, _ text: String, query: String = "", type: String = "text/csv"
    ) async throws -> EngineServer.Reply {
        let answer = try await server.client.request(
            "POST", "/contacts/import\(query)",
            [("Authorization", "Bearer \(server.key)"), ("Content-Type", type)], body: Array(text.utf8))
        return EngineServer.Reply(status: answer.status, body: try JSONParser.parse(answer.body), answer: answer)
    }

    /// The body of an answer in chunks.
    private func download(_ server: EngineServer, _ path: String) async throws -> (head: String, text: String) {
        let request =
            "GET \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(server.key)\r\nConnection: close\r\n\r\n"
        let bytes = try await server.client.readUntilClosed([Array(request.utf8)])
        let end = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8)))
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        var rest = bytes[end.upperBound...]
        var body: [UInt8] = []
        while let line = rest.firstRange(of: [0x0D, 0x0A]) {
            let size = try #require(Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16))
            body += rest[line.upperBound...].prefix(size)
            rest = rest[line.upperBound...].dropFirst(size + 2)
            if size == 0 { return (head, String(decoding: body, as: UTF8.self)) }
        }
        Issue.record("the body has no end: \(head)")
        return (head, "")
    }

    @Test func fileIsImportedAndItsReportCanBeFetched() async throws {
        try await withEngine { server in
            let begun = try await upload(
                server, "email,plan,createdAt\nann@example.org,7,x\nnobody,8,x\n", query: "?typed=true",
                type: "text/csv; charset=UTF-8")
            #expect(begun.status == 202, "\(begun.body)")
            let path = try #require(begun.answer.field("location"))
            try await server.engine.runJobs()
            let job = try await server.send("GET", path)
            #expect(job.body["counts"]?["created"] == 1 && job.body["counts"]?["failed"] == 1)
            #expect(job.body["ignoredColumns"] == ["createdAt"])
            #expect(
                job.body["errors"] == [
                    ["row": 3, "column": "email", "rule": "email", "message": "is no mail address"]
                ])
            let report = try await download(server, "\(path)/errors.csv")
            #expect(report.head.contains("text/csv"))
            #expect(report.text == "row,column,rule,message\r\n3,email,email,is no mail address\r\n")
            let contact = try await server.engine.contact()
            #expect(contact?.data == ["plan": 7])
        }
    }

    @Test func queryThatTakesTooLongIsRefused() async throws {
        try await withEngine(configure: { $0.searchLimit = .zero }) { server in
            let project = server.engine.project.id
            try await server.engine.context.store.write { store in
                for number in 0..<2000 {
                    let contact = Contact(
                        id: Identifier(high: 5, low: UInt64(number)), email: "c\(number)@example.org",
                        isSubscribed: true, data: [:], createdAt: Timestamp(seconds: 0),
                        updatedAt: Timestamp(seconds: 0))
                    try store.insert(contact, in: project)
                }
            }
            let body: JSON = [
                "filter": [
                    "logic": "AND",
                    "groups": [["filters": [["field": "data.n", "operator": "equals", "value": 5]]]],
                ]
            ]
            for path in ["/contacts/query", "/segments/preview"] {
                let reply = try await server.send("POST", path, body)
                #expect(reply.status == 422 && reply.code == "query_too_slow", "\(path)")
            }
            #expect(try await server.send("GET", "/contacts?search=nobody").code == "query_too_slow")
            #expect(try await server.send("GET", "/contacts").body["total"] == 2000)
        }
    }

    @Test func filesThatCannotBeUsedAreRefusedAtOnce() async throws {
        try await withEngine { server in
            let json = try await server.send("POST", "/contacts/import", ["email": "ann@example.org"])
            #expect(json.status == 415 && json.answer.field("accept") == "text/csv")
            #expect(try await upload(server, "email\n", type: "text/csv; charset=iso-8859-1").status == 415)
            let sixteen = try await upload(server, "e\u{0}m\u{0}")
            #expect(sixteen.status == 422 && sixteen.message.contains("cannot be imported"))
            #expect(
                sixteen.body["error"]?["errors"]?.arrayValue?.first?["message"]?.stringValue?.contains("UTF-16") == true
            )
            #expect(try await upload(server, "name\nAnn\n").fields == ["header"])
            #expect(try await upload(server, "email,id,unsubscribeUrl\n").fields == ["header.3"])
            let query = try await upload(server, "email\n", query: "?typed=maybe&events=7&separator=x")
            #expect(Set(query.fields) == ["typed", "events", "separator"])
            #expect(try await server.send("GET", "/contacts/jobs").body["data"] == [])
        }
    }

    @Test func fileOverTheLimitIsRefusedWithAndWithoutItsLength() async throws {
        try await withEngine(HTTPConfiguration(port: 0, importLimit: 2048)) { server in
            let text = "email\n" + String(repeating: "ann@example.org\n", count: 200)
            #expect(try await upload(server, text).code == "payload_too_large")
            let chunked =
                "POST /contacts/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(server.key)\r\n"
                + "Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n0\r\n\r\n"
            let answers = try await server.client.converse(Array(chunked.utf8), answers: 1)
            #expect(answers.first?.status == 413)
            #expect((server.engine.context.spool as? MemorySpool)?.files == [])
        }
    }

    @Test func uploadThatBreaksOffLeavesNothing() async throws {
        try await withEngine { server in
            let head =
                "POST /contacts/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(server.key)\r\n"
                + "Content-Type: text/csv\r\nContent-Length: 1000\r\n\r\nemail\nann@example.org\n"
            _ = try await server.client.readUntilClosed([Array(head.utf8)], halfClose: true)
            #expect((server.engine.context.spool as? MemorySpool)?.files == [])
            #expect(try await server.send("GET", "/contacts/jobs").body["data"] == [])
        }
    }

    @Test func exportIsAFile() async throws {
        try await withEngine { server in
            _ = try await make(server, "ann@example.org", ["plan": "=1"])
            let csv = try await download(server, "/contacts/export")
            #expect(csv.head.contains("200") && csv.head.contains("filename=\"contacts.csv\""))
            #expect(
                csv.text.hasPrefix("id,email,subscribed,createdAt,updatedAt,plan\r\n") && csv.text.contains(",'=1\r\n"))
            #expect(try await download(server, "/contacts/export?formulas=keep").text.contains(",=1\r\n"))
            let json = try await download(server, "/contacts/export?format=json")
            let list = try JSONParser.parse(Array(json.text.utf8))
            #expect(list.arrayValue?.map { $0["email"] } == ["ann@example.org"])
            let bad = try await server.send("GET", "/contacts/export?format=xml&formulas=no")
            #expect(Set(bad.fields) == ["format", "formulas"])
            #expect(try await server.send("HEAD", "/contacts/export").status == 405)
        }
    }
}

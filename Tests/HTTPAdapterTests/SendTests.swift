import Engine
import EngineTestKit
import JSONValue
import MailModel
import SQLStore
import Testing
import WorkflowModel

@testable import HTTPAdapter

@Suite struct SendTests {
    private static let simple: JSON = [
        "to": "Ann@Example.org", "subject": "Hi {{ name }}",
        "body": "<p>{{ data.order }} &amp; {{ plan ?? 'none' }}</p>",
    ]

    private static func with(_ changes: JSONObject) -> JSON {
        var object = simple.objectValue ?? [:]
        for (key, value) in changes { object[key] = value.isNull ? nil : value }
        return .object(object)
    }

    /// The mails that leave, as text.
    private static func delivered(_ server: EngineServer) async throws -> [String] {
        let transport = ScriptedTransport()
        try await server.engine.runDispatch(transport)
        return transport.sent.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    @Test func aMailIsMadeAndLeaves() async throws {
        try await withEngine { server in
            let reply = try await server.send(
                "POST", "/v1/send",
                Self.with([
                    "to": ["email": "Ann@Example.org", "name": "Ann Müller"],
                    "from": ["email": "shop@example.com", "name": "The \"best\" shop"], "reply": "help@example.com",
                    "data": ["order": ["value": "A-1", "persistent": false], "plan": "pro"],
                    "headers": ["X-Campaign": "spring", "Auto-Submitted": "no", "In-Reply-To": "<m0@example.org>"],
                ]))
            #expect(reply.status == 200)
            let mail = reply.body["data"]?["emails"]?.arrayValue?.first
            #expect(mail?["contact"]?["email"] == "ann@example.org")
            let contact = try #require(try await server.engine.contact())
            #expect(!contact.isSubscribed && contact.data == ["plan": "pro", "name": "Ann Müller"])
            #expect(mail?["contact"]?["id"]?.stringValue == "\(contact.id)")
            let path = "/v1/emails/\(mail?["email"]?.stringValue ?? "")"
            #expect(try await server.send("GET", path).body["data"]?["status"] == "pending")
            let texts = try await Self.delivered(server)
            let text = try #require(texts.first)
            #expect(texts.count == 1)
            for line in [
                #"From: "The \"best\" shop" <shop@example.com>"#, "To: =?utf-8?", "<Ann@example.org>",
                "Reply-To: help@example.com", "Subject: =?utf-8?", "X-Campaign: spring", "Auto-Submitted: no",
                "In-Reply-To: <m0@example.org>", "<p>A-1 &amp; pro</p>",
            ] {
                #expect(text.contains(line), "\(line) in \(text)")
            }
            #expect(!text.contains("auto-generated") && !text.contains("Precedence"))
            let status = try await server.send("GET", path)
            #expect(status.body["data"]?["status"] == "delivered")
            #expect(status.body["data"]?["sourceType"] == "TRANSACTIONAL")
            #expect(status.body["data"]?["attempts"] == 1)
            let sent = try await server.engine.context.store.read { [project = server.engine.project.id] in
                try $0.newestEventData(of: "email.sent", in: project, among: 10)
            }
            #expect(sent.first?["sourceType"] == "TRANSACTIONAL")
        }
    }

    @Test func everyFormOfRecipientIsUnderstood() async throws {
        try await withEngine { server in
            for (to, count) in [
                ("a@example.org" as JSON, 1), (["email": "a@example.org"], 1), (["a@example.org", "b@example.org"], 2),
                ([["email": "a@example.org", "name": "A"], "b@example.org", "A@example.org"], 3),
            ] {
                let reply = try await server.send("POST", "/v1/send", Self.with(["to": to]))
                #expect(reply.status == 200 && reply.body["data"]?["emails"]?.arrayValue?.count == count, "\(to)")
            }
            // One that is named twice gets one mail.
            #expect(try await Self.delivered(server).count == 1 + 1 + 2 + 2)
        }
    }

    @Test func aTemplateIsTakenAndChanged() async throws {
        try await withEngine { server in
            let whole: JSON = ["to": "ann@example.org", "template": "hello"]
            #expect(try await server.send("POST", "/v1/send", whole).status == 200)
            let other: JSON = ["to": "ann@example.org", "template": "hello", "subject": "Other"]
            #expect(try await server.send("POST", "/v1/send", other).status == 200)
            let texts = try await Self.delivered(server)
            for subject in ["Subject: Hello ann@example.org", "Subject: Other"] {
                #expect(texts.contains { $0.contains(subject) && $0.contains("Hi") }, "\(subject)")
            }
            let missing = try await server.send("POST", "/v1/send", ["to": "ann@example.org", "template": "nowhere"])
            #expect(missing.status == 404 && missing.fields == ["template"])
            try await Projects(context: server.engine.context).create("other")
            let key = try await Authentication(context: server.engine.context).create(.secret, project: "other")
            #expect(try await server.send("POST", "/v1/send", whole, key: key).status == 404)
        }
    }

    @Test func theSameContentIsOneVersion() async throws {
        try await withEngine { server in
            for to: JSON in ["a@example.org", "b@example.org"] {
                #expect(try await server.send("POST", "/v1/send", Self.with(["to": to])).status == 200)
            }
            #expect(try await server.send("POST", "/v1/send", Self.with(["subject": "Else"])).status == 200)
            let now = server.engine.clock.now()
            let entries = try await server.engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }
            #expect(entries.count == 3 && Set(entries.map(\.request.templateVersionID)).count == 2)
        }
    }

    /// Whatever a mail is made by is part of its content.
    @Test func aTemplateThatTracksOtherwiseIsAnotherVersion() async throws {
        try await withEngine { server in
            let body: JSON = ["to": "ann@example.org", "template": "hello", "subject": "Other"]
            let list = try await server.send("GET", "/templates")
            let path = "/templates/\(list.body["data"]?.arrayValue?.first?["id"]?.stringValue ?? "")"
            for change: JSON in [["trackClicks": nil], ["trackClicks": false], ["trackOpens": false]] {
                #expect(try await server.send("PATCH", path, change).status == 200)
                #expect(try await server.send("POST", "/v1/send", body).status == 200)
            }
            let now = server.engine.clock.now()
            let entries = try await server.engine.context.store.write { try $0.claimEntries(dueAt: now, limit: 10) }
            #expect(Set(entries.map(\.request.templateVersionID)).count == 3)
        }
    }

    @Test func oneRequestIsOneLineOfTheAuditLog() async throws {
        try await withEngine { server in
            let to: JSON = ["a@example.org", "b@example.org", "A@example.org"]
            let reply = try await server.send("POST", "/v1/send", ["to": to, "template": "hello"])
            let rows = try await server.send("GET", "/audit?action=mail.").body["data"]?.arrayValue ?? []
            #expect(rows.count == 1 && rows.first?["action"] == "mail.sent")
            #expect(rows.first?["details"] == ["count": 2, "template": "hello"])
            #expect(rows.first?["target"] == reply.body["data"]?["emails"]?.arrayValue?.first?["email"])
        }
    }

    @Test func marketingNeedsASubscriptionAndAllRecipientsOrNoneGetMail() async throws {
        try await withEngine { server in
            try await server.engine.apply([
                "workflow": "more", "trigger": ["manual": true], "steps": ["start": ["type": "TRIGGER"]],
                "templates": ["news": ["type": "MARKETING", "subject": "News", "text": "News"]],
            ])
            try await server.engine.track("joined", "ann@example.org")
            let both: JSON = ["to": ["ann@example.org", "bob@example.org"], "template": "news"]
            let refused = try await server.send("POST", "/v1/send", both)
            #expect(refused.status == 422 && refused.fields == ["to.1"])
            #expect(refused.message.contains("bob@example.org"))
            #expect(try await server.engine.contact("bob@example.org") == nil, "nothing half done")
            #expect(try await Self.delivered(server).isEmpty)
            var object = both.objectValue ?? [:]
            object["subscribed"] = true
            #expect(try await server.send("POST", "/v1/send", .object(object)).status == 200)
            #expect(try await server.engine.contact("bob@example.org")?.isSubscribed == true)
            #expect(try await Self.delivered(server).count == 2)
        }
    }

    @Test func filesGoWithTheMail() async throws {
        try await withEngine { server in
            let reply = try await server.send(
                "POST", "/v1/send",
                Self.with([
                    "to": ["a@example.org", "b@example.org"],
                    "attachments": [
                        ["filename": "hällo.txt", "content": "SGVsbG8K", "contentType": "text/plain"],
                        [
                            "filename": "logo.png", "content": "AAECAw==", "contentType": "image/png",
                            "disposition": "inline", "contentId": "logo",
                        ],
                    ],
                ]))
            #expect(reply.status == 200)
            let texts = try await Self.delivered(server)
            #expect(texts.count == 2)
            for text in texts {
                for line in [
                    "multipart/mixed;", "multipart/related; type=\"multipart/alternative\";",
                    "attachment; filename*=utf-8''h%C3%A4llo.txt", "SGVsbG8K", "inline; filename=\"logo.png\"",
                    "Content-ID: <logo>", "AAECAw==",
                ] {
                    #expect(text.contains(line), "\(line) in \(text)")
                }
            }
        }
    }

    private static let refusals: [(String, String)] = [
        (#"{"to":null}"#, "to"),
        (#"{"to":[]}"#, "to"),
        (#"{"to":5}"#, "to"),
        (#"{"to":""}"#, "to"),
        (#"{"to":"Ann <a@example.org>"}"#, "to"),
        (#"{"to":"a@example.org\r\nBcc: b@example.org"}"#, "to"),
        (#"{"to":["a@example.org","b"]}"#, "to.1"),
        (#"{"to":[{"name":"A"}]}"#, "to.0.email"),
        (#"{"to":[{"email":"a@example.org","name":"A\nB"}]}"#, "to.0.name"),
        (#"{"to":[{"email":"a@example.org","cc":"b@example.org"}]}"#, "to.0.cc"),
        (#"{"subject":""}"#, "subject"),
        (#"{"subject":"a\nb"}"#, "subject"),
        (#"{"subject":null}"#, "subject"),
        (#"{"subject":"{{ a"}"#, "subject"),
        (#"{"body":""}"#, "body"),
        (#"{"body":null}"#, "body"),
        (#"{"body":"{% for a in b %}"}"#, "body"),
        (#"{"body":1}"#, "body"),
        (#"{"from":"nobody"}"#, "from"),
        (#"{"from":{"name":"A"}}"#, "from.email"),
        (#"{"reply":""}"#, "reply"),
        (#"{"name":"a\u0000b"}"#, "name"),
        (#"{"subscribed":"yes"}"#, "subscribed"),
        (#"{"data":[]}"#, "data"),
        (#"{"cc":"a@example.org"}"#, "cc"),
        (#"{"headers":{"X-A":"a\r\nBcc: b@example.org"}}"#, "headers.X-A"),
        (#"{"headers":{"X-A":""}}"#, "headers.X-A"),
        (#"{"headers":{"Bcc":"b@example.org"}}"#, "headers.Bcc"),
        (#"{"headers":{"content-type":"x"}}"#, "headers.content-type"),
        (#"{"headers":{"X-Postrider-Delivery":"x"}}"#, "headers.X-Postrider-Delivery"),
        (#"{"headers":{"X:A":"x"}}"#, "headers.X:A"),
        (#"{"headers":{"X-A":"1","x-a":"2"}}"#, "headers.x-a"),
        (#"{"headers":{"X-A":1}}"#, "headers.X-A"),
        (#"{"headers":[]}"#, "headers"),
        (#"{"attachments":"x"}"#, "attachments"),
        (#"{"attachments":["x"]}"#, "attachments.0"),
    ]

    @Test(arguments: refusals)
    func whatCannotBeSentIsRefused(changes: String, field: String) async throws {
        try await withEngine { server in
            // A null takes the member away.
            let body = Self.with(try JSONParser.parse(changes).objectValue ?? [:])
            let reply = try await server.send("POST", "/v1/send", body)
            #expect(reply.status == 422 && reply.fields == [field], "\(reply.body)")
            #expect(try await Self.delivered(server).isEmpty)
            #expect(try await server.engine.contact() == nil)
        }
    }

    private func expectRefusal(
        _ server: EngineServer, _ body: JSON, _ fields: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let reply = try await server.send("POST", "/v1/send", body)
        #expect(reply.status == 422 && reply.fields == fields, "\(reply.body)", sourceLocation: sourceLocation)
    }

    @Test func listsAndLinesHaveLimits() async throws {
        try await withEngine { server in
            let many = JSON.array(Array(repeating: "a@example.org", count: 101))
            try await expectRefusal(server, Self.with(["to": many]), ["to"])
            let long = JSON.string(String(repeating: "a", count: 999))
            try await expectRefusal(server, Self.with(["subject": long]), ["subject"])
            // As much as a template may have.
            let most = String(repeating: "a", count: NewTemplate.sourceLimit)
            #expect(try await server.send("POST", "/v1/send", Self.with(["body": .string(most)])).status == 200)
            try await expectRefusal(server, Self.with(["body": .string(most + "a")]), ["body"])
            // A line of mail with its field's name (RFC 5322 section 2.1.1).
            let full = String(repeating: "a", count: 991)
            let field: (String) -> JSON = { Self.with(["headers": ["X-Long": .string($0)]]) }
            #expect(try await server.send("POST", "/v1/send", field(full)).status == 200)
            try await expectRefusal(server, field(full + "a"), ["headers.X-Long"])
            let empty: JSON = ["attachments": [[:]]]
            try await expectRefusal(
                server, Self.with(empty.objectValue ?? [:]),
                ["attachments.0.filename", "attachments.0.contentType", "attachments.0.content"])
        }
    }

    private static func file(_ changes: JSONObject) -> JSON {
        var file: JSONObject = ["filename": "a.txt", "content": "SGVsbG8=", "contentType": "text/plain"]
        for (key, value) in changes { file[key] = value }
        return .object(file)
    }

    private static let wrongFiles: [(String, String)] = [
        (#"{"filename":"a\"b"}"#, "filename"),
        (#"{"filename":"a\r\nb"}"#, "filename"),
        (#"{"filename":""}"#, "filename"),
        (#"{"filename":"../a"}"#, "filename"),
        (#"{"content":"SGVsbG8"}"#, "content"),
        (#"{"content":"SGVs bG8="}"#, "content"),
        (#"{"content":"SGVsbG8=\n"}"#, "content"),
        (#"{"content":"SGVsbG9="}"#, "content"),
        (#"{"content":"=A=="}"#, "content"),
        (#"{"content":5}"#, "content"),
        (#"{"contentType":"text"}"#, "contentType"),
        (#"{"contentType":"text/plain\r\nX: y"}"#, "contentType"),
        (#"{"contentType":"a/b; c=\"d\""}"#, "contentType"),
        (#"{"disposition":"both"}"#, "disposition"),
        (#"{"disposition":"inline"}"#, "contentId"),
        (#"{"disposition":"inline","contentId":"<a>"}"#, "contentId"),
        (#"{"contentId":"a b"}"#, "contentId"),
        (#"{"path":"/etc/passwd"}"#, "path"),
    ]

    @Test(arguments: wrongFiles)
    func aWrongFileIsNamed(changes: String, field: String) async throws {
        try await withEngine { server in
            let wrong = Self.file(try JSONParser.parse(changes).objectValue ?? [:])
            let reply = try await server.send(
                "POST", "/v1/send", Self.with(["attachments": .array([Self.file([:]), wrong])]))
            #expect(reply.status == 422 && reply.fields == ["attachments.1.\(field)"], "\(reply.body)")
        }
    }

    @Test func filesHaveLimits() async throws {
        try await withEngine { server in
            let many = JSON.array(Array(repeating: Self.file([:]), count: 11))
            try await expectRefusal(server, Self.with(["attachments": many]), ["attachments"])
            let half = String(repeating: "AAAA", count: DirectMail.attachmentBytes / 6)
            let fits: JSON = [Self.file(["content": .string(half)]), Self.file(["content": .string(half)])]
            #expect(try await server.send("POST", "/v1/send", Self.with(["attachments": fits])).status == 200)
            let large: JSON = [
                Self.file(["content": .string(half)]), Self.file(["content": .string(half + "AAAAAAAA")]),
            ]
            try await expectRefusal(server, Self.with(["attachments": large]), ["attachments"])
            let same = Self.file(["disposition": "inline", "contentId": "a"])
            try await expectRefusal(server, Self.with(["attachments": [same, same]]), ["attachments"])
        }
    }

    @Test func aRepeatedRequestSendsOnce() async throws {
        try await withEngine { server in
            let key = [("Idempotency-Key", "mail-1")]
            let first = try await server.send("POST", "/v1/send", Self.simple, fields: key)
            let second = try await server.send("POST", "/v1/send", Self.simple, fields: key)
            #expect(first.status == 200 && first.body == second.body)
            #expect(try await Self.delivered(server).count == 1)
        }
    }

    @Test func aMailOfAnotherProjectIsNotThere() async throws {
        try await withEngine { server in
            let reply = try await server.send("POST", "/v1/send", Self.simple)
            let id = reply.body["data"]?["emails"]?.arrayValue?.first?["email"]?.stringValue ?? ""
            try await Projects(context: server.engine.context).create("other")
            let key = try await Authentication(context: server.engine.context).create(.secret, project: "other")
            #expect(try await server.send("GET", "/v1/emails/\(id)", key: key).status == 404)
            #expect(try await server.send("GET", "/v1/emails/x").status == 404)
            #expect(try await server.send("GET", "/v1/emails/\(id)").status == 200)
        }
    }

    // MARK: Addresses

    private struct Looked: Sendable {
        var email: String
        var isValid = true
        var isDisposable = false
        var suggestion: String?
        var reasons: [String] = []
    }

    private static let addresses = [
        Looked(email: "ann@example.org"), Looked(email: " Ann@Example.org "),
        Looked(email: "ann", isValid: false, reasons: ["invalid_syntax: no_domain"]),
        Looked(email: "", isValid: false, reasons: ["invalid_syntax: empty"]),
        Looked(email: "ann@gmial.com", suggestion: "ann@gmail.com", reasons: ["domain_may_be_misspelled"]),
        Looked(email: "ann@hotmial.com", suggestion: "ann@hotmail.com", reasons: ["domain_may_be_misspelled"]),
        Looked(email: "ann@gmx.com"), Looked(email: "ann@gmail.com"), Looked(email: "ann@mail.com"),
        Looked(email: "ann@a.b"),
        Looked(email: "ann@mailinator.com", isDisposable: true, reasons: ["disposable_domain"]),
        Looked(email: "ann@x.mailinator.com", isDisposable: true, reasons: ["disposable_domain"]),
        Looked(email: "ann@1.2.3.4", isValid: false, reasons: ["domain_not_public"]),
        Looked(email: "ann@[1.2.3.4]", isValid: false, reasons: ["domain_not_public"]),
        Looked(email: "ann@example.123", isValid: false, reasons: ["domain_not_public"]),
        Looked(email: "ann@4.example.de"),
        Looked(email: "ann@localhost", isValid: false, reasons: ["domain_not_public"]),
    ]

    @Test(arguments: addresses)
    private func addressesAreLookedAt(_ wanted: Looked) async throws {
        try await withEngine { server in
            let reply = try await server.send("POST", "/v1/verify", ["email": .string(wanted.email)])
            let data = reply.body["data"]
            #expect(reply.status == 200 && data?["valid"] == .bool(wanted.isValid), "\(reply.body)")
            #expect(data?["isDisposable"] == .bool(wanted.isDisposable))
            #expect(data?["suggestedEmail"]?.stringValue == wanted.suggestion)
            #expect(data?["reasons"]?.arrayValue?.compactMap(\.stringValue) == wanted.reasons)
            #expect(data?["hasMxRecords"] == .null)
        }
    }

    @Test func aFaultOfTheBodyNamesTheBody() async throws {
        try await withEngine { server in
            for (key, text) in [("body", "{% for a in b %}"), ("subject", "{{ a"), ("body", "{% render 'none' %}")] {
                var mail: JSONObject = ["to": "ann@example.org", "subject": "S", "body": "B"]
                mail[key] = .string(text)
                let reply = try await server.send("POST", "/v1/send", .object(mail))
                #expect(reply.status == 422 && reply.fields == [key], "\(reply.body)")
                let message = reply.body[path: "error.errors.0.message"]?.stringValue ?? ""
                let other = key == "body" ? "subject" : "body"
                #expect(!message.contains(other) && !message.contains("html"), "\(message)")
            }
        }
    }

    @Test func addressesOutsideASCIIAreTakenAndAreOneContact() async throws {
        try await withEngine { server in
            let mail: JSON = [
                "to": ["r\u{e9}ne@b\u{fc}cher.example", "Re\u{301}ne@xn--bcher-kva.example"], "subject": "S",
                "body": "B",
                "from": "\u{3b4}@example.com", "reply": ["email": "\u{e9}@example.com"],
            ]
            let wrong = try await server.send("POST", "/v1/send", mail)
            #expect(wrong.fields == ["reply"], "an address, and no object")
            var right = mail.objectValue ?? [:]
            right["reply"] = "\u{e9}@example.com"
            let reply = try await server.send("POST", "/v1/send", .object(right))
            #expect(reply.status == 200, "\(reply.body)")
            let sent = reply.body[path: "data.emails"]?.arrayValue ?? []
            #expect(sent.count == 2 && sent.first == sent.last)
            #expect(sent.first?["contact"]?["email"]?.stringValue == "r\u{e9}ne@xn--bcher-kva.example")
        }
    }

    @Test(arguments: [
        "\u{e9}\u{202e}x@example.org", "\u{e9} x@example.org", "\u{e9}\r\n@example.org", "\u{e9}@", "@\u{e9}",
    ])
    func whatHidesOrEndsAnAddressIsNone(address: String) async throws {
        try await withEngine { server in
            let mail: JSON = ["to": .string(address), "subject": "S", "body": "B"]
            let reply = try await server.send("POST", "/v1/send", mail)
            #expect(reply.fields == ["to"])
        }
    }

    @Test func onlyAnAddressIsVerified() async throws {
        try await withEngine { server in
            for body: JSON in [[:], ["email": 1], ["email": .null]] {
                let reply = try await server.send("POST", "/v1/verify", body)
                #expect(reply.status == 422 && reply.fields == ["email"])
            }
        }
    }

    private struct ScriptedLookup: MailServerLookup {
        func hasMailServer(_ domain: String) async -> Bool? {
            ["good.example": true, "bad.example": false][domain]
        }
    }

    @Test func theDNSIsAskedWhereItIsAllowed() async throws {
        let database = try TemporaryDatabase()
        let engine = try await EngineFixture(store: try SQLiteStore(path: database.path, exclusively: false))
        var context = engine.context
        context.mailServers = ScriptedLookup()
        let check = AddressCheck(context: context)
        let good = await check.run("ann@good.example")
        #expect(good.isValid && good.hasMailServer == true && good.reasons.isEmpty)
        let bad = await check.run("ann@bad.example")
        #expect(!bad.isValid && bad.hasMailServer == false && bad.reasons == ["no_mail_server"])
        let silent = await check.run("ann@silent.example")
        #expect(silent.isValid && silent.hasMailServer == nil && silent.reasons == ["dns_did_not_answer"])
    }
}

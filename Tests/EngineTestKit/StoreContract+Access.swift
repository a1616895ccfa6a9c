import Engine
import JSONValue
import Testing
import WorkflowModel

/// Keys, idempotency, mails of requests, the audit log.
extension StoreContract {
    static func keys(_ store: any Store) async throws {
        let key = APIKey(
            id: id(700), projectID: project.id, kind: .secret, name: "Shop",
            scopes: KeyScopes([KeyScope(.contacts, .read), KeyScope(.send, .write), KeyScope(.send, .read)]))
        try await store.write { transaction in
            try transaction.insert(project, at: time)
            let before = try transaction.catalogVersion()
            try transaction.insert(key, hash: [1], at: time)
            #expect(try transaction.catalogVersion() != before)
            #expect(try transaction.key(hash: [1]) == key)
            #expect(try transaction.key(hash: [2]) == nil)
            try transaction.touchKey(hash: [1], at: time.adding(seconds: 5))
            try transaction.endKey(key.id, at: time.adding(seconds: 60))
            try transaction.endKey(key.id, at: time.adding(seconds: 90))
            try transaction.insert(key, hash: [2], at: time.adding(seconds: 1))
            var ended = key
            ended.expiresAt = time.adding(seconds: 60)
            #expect(
                try transaction.keys(of: project.id) == [
                    KeyRecord(key: ended, createdAt: time, lastUsedAt: time.adding(seconds: 5)),
                    KeyRecord(key: key, createdAt: time.adding(seconds: 1), lastUsedAt: nil),
                ])
            #expect(try transaction.keys(of: id(99)).isEmpty)
            try transaction.pruneKeys(before: time.adding(seconds: 61))
            #expect(try transaction.key(hash: [1]) == nil)
            #expect(try transaction.key(hash: [2]) == key)
        }
    }

    static func idempotency(_ store: any Store) async throws {
        let name = IdempotencyRecord.Name(projectID: project.id, kind: .secret, key: "k")
        var record = IdempotencyRecord(name: name, requestID: id(1), fingerprint: [1], createdAt: time)
        var other = record
        other.requestID = id(2)
        let (first, rival) = (record, other)
        record.answer = .init(status: 201, body: [0x7B, 0x7D])
        let answered = record
        let early = time.adding(seconds: -1)
        try await store.write { transaction in
            #expect(try transaction.insert(first, replacingOlderThan: early))
            #expect(try !transaction.insert(rival, replacingOlderThan: early))
            #expect(try transaction.idempotencyRecord(name) == first)
            #expect(try transaction.insert(answered, replacingOlderThan: early))
            // What is not known yet does not undo what is.
            #expect(try transaction.insert(first, replacingOlderThan: early))
            #expect(try transaction.idempotencyRecord(name) == answered)
            for other in [
                IdempotencyRecord.Name(projectID: id(99), kind: .secret, key: "k"),
                .init(projectID: project.id, kind: .public, key: "k"),
            ] {
                #expect(try transaction.idempotencyRecord(other) == nil)
            }
            #expect(try transaction.insert(rival, replacingOlderThan: time.adding(seconds: 1)))
            #expect(try transaction.idempotencyRecord(name) == rival)
            try transaction.release(first)
            #expect(try transaction.idempotencyRecord(name) == rival)
            try transaction.release(rival)
            #expect(try transaction.idempotencyRecord(name) == nil)
            for number: UInt64 in 0..<5 {
                var old = first
                old.name.key = "old \(number)"
                #expect(try transaction.insert(old, replacingOlderThan: early))
            }
            #expect(try transaction.pruneIdempotency(before: time, limit: 3) == 0)
            #expect(try transaction.pruneIdempotency(before: time.adding(seconds: 1), limit: 3) == 3)
            #expect(try transaction.pruneIdempotency(before: time.adding(seconds: 1), limit: 3) == 2)
        }
    }

    static func auditLog(_ store: any Store) async throws {
        let actors: [Actor] = [.system, .key(id(5)), .account("ann")]
        let records = (0..<6).map { (number: Int) -> AuditRecord in
            let projectID: Identifier? = number == 5 ? nil : project.id
            let action = number % 2 == 0 ? "key.created" : "keyring.moved"
            return AuditRecord(
                id: id(800 + UInt64(number)), projectID: projectID, at: time, actor: actors[number % 3],
                action: action, target: number < 3 ? "a" : "b", details: number == 0 ? ["name": "Shop"] : [:])
        }
        try await store.write { transaction in
            for record in records { try transaction.insert(record) }
            func page(_ change: (inout AuditSelection) -> Void) throws -> [AuditRecord] {
                var selection = AuditSelection(projectID: project.id, limit: 10)
                change(&selection)
                return try transaction.auditLog(selection)
            }
            #expect(try page { _ in } == records[0..<5].reversed())
            #expect(try page { $0.limit = 2 } == [records[4], records[3]])
            #expect(try page { $0.cursor = records[3].id } == [records[2], records[1], records[0]])
            #expect(try page { $0.action = "key.created" } == [records[4], records[2], records[0]])
            #expect(try page { $0.action = "key." } == [records[4], records[2], records[0]])
            #expect(try page { $0.target = "b" } == [records[4], records[3]])
            #expect(
                try page {
                    $0.target = "a"
                    $0.action = "keyring."
                } == [records[1]])
            #expect(try page { $0.projectID = id(99) }.isEmpty)
            #expect(try page { $0.projectID = nil } == [records[5]])
        }
    }

    static func unnamedVersions(_ store: any Store) async throws {
        let version = TemplateVersion(
            id: id(900), templateID: id(900), kind: .transactional,
            content: TemplateContent(subject: "Hi", html: "<p>Hi</p>", text: nil, from: "a@example.com"),
            createdAt: time)
        let file = MailAttachment(filename: "a.txt", contentType: "text/plain", bytes: [1, 2, 3])
        let image = MailAttachment(filename: "b.png", contentType: "image/png", contentID: "logo", bytes: [])
        try await store.write { transaction in
            try transaction.insert(project, at: time)
            #expect(try transaction.unnamedVersion(hash: [1], in: project.id) == nil)
            let before = try transaction.catalogVersion()
            try transaction.insertUnnamed(version, hash: [1], in: project.id, at: time)
            #expect(try transaction.catalogVersion() == before, "nobody needs it in memory")
            #expect(try transaction.unnamedVersion(hash: [1], in: project.id) == version.id)
            #expect(try transaction.unnamedVersion(hash: [1], in: id(99)) == nil)
            try transaction.insert([file, image], asSet: id(901))
            #expect(try transaction.attachments(ofSet: id(901)) == [file, image])
            #expect(try transaction.attachments(ofSet: id(902)).isEmpty)
        }
        #expect(try await store.read { try $0.templateVersion(version.id) } == version)
        #expect(try await store.read { try $0.loadCatalog().templates.isEmpty })
    }
}

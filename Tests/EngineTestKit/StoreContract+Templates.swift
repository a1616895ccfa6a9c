import Engine
import Testing
import WorkflowModel

/// Templates, their versions, and the mails made of them.
extension StoreContract {
    private static func template(_ version: Int, slug: String = "welcome") -> Catalog.TemplateRecord {
        Catalog.TemplateRecord(
            id: id(400), projectID: project.id, slug: slug, name: "Welcome", description: "The first mail",
            current: TemplateVersion(
                id: id(400 + UInt64(version)), templateID: id(400), number: version, kind: .headless,
                content: TemplateContent(
                    subject: "Hi \(version)", html: nil, text: "text", markdown: "*hi*", from: "a@example.com",
                    fromName: "A", replyTo: "b@example.com", tracksOpens: .off, tracksClicks: .anonymous),
                createdAt: time.adding(seconds: Int64(version))),
            createdAt: time.adding(seconds: 1), updatedAt: time.adding(seconds: Int64(version)))
    }

    static func templateVersions(_ store: any Store) async throws {
        try await seed(store)
        let before = try await store.read { try $0.catalogVersion() }
        for number in 1...3 {
            try await store.write { try $0.save(template(number), at: time.adding(seconds: Int64(number))) }
        }
        let (catalog, versions, first, missing) = try await store.read {
            (
                try $0.loadCatalog(), try $0.templateVersions(of: id(400), limit: 2, offset: 1),
                try $0.templateVersion(1, of: id(400)), try $0.templateVersion(4, of: id(400))
            )
        }
        #expect(catalog.version != before)
        let stored = try #require(catalog.template("welcome", in: project.id))
        let wanted = template(3)
        #expect(stored.current == wanted.current)
        #expect(stored.name == wanted.name && stored.description == wanted.description)
        #expect(stored.createdAt == wanted.createdAt && stored.updatedAt == wanted.updatedAt)
        #expect(versions.total == 3 && versions.rows == [template(2).current, template(1).current])
        #expect(first == template(1).current && missing == nil)
        let newest = try await store.write {
            (try $0.newestTemplateVersion(of: id(400)), try $0.newestTemplateVersion(of: id(1)))
        }
        #expect(newest == (3, 0))
    }

    static func renamedTemplate(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { try $0.save(template(1), at: time) }
        let before = try await store.read { try $0.catalogVersion() }
        var renamed = template(1)
        (renamed.name, renamed.description, renamed.updatedAt) = ("Other", nil, time.adding(seconds: 9))
        let changed = renamed
        try await store.write { try $0.rename(changed) }
        let catalog = try await store.read { try $0.loadCatalog() }
        let stored = try #require(catalog.template("welcome", in: project.id))
        #expect(catalog.version != before)
        #expect(stored.name == "Other" && stored.description == nil && stored.updatedAt == changed.updatedAt)
        #expect(stored.current.id == template(1).current.id)
    }

    static func deletedTemplate(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { try $0.save(template(1), at: time) }
        let before = try await store.read { try $0.catalogVersion() }
        try await store.write { try $0.delete(template: id(400)) }
        let (catalog, version) = try await store.read { (try $0.loadCatalog(), try $0.templateVersion(id(401))) }
        #expect(catalog.version != before && catalog.templates.isEmpty)
        #expect(version?.content == template(1).current.content)
        // Its slug is free.
        var other = template(1)
        other.id = id(500)
        other.current.id = id(501)
        other.current.templateID = id(500)
        let next = other
        try await store.write { try $0.save(next, at: time) }
    }

    static func mailPartials(_ store: any Store) async throws {
        try await seed(store)
        var mail = entry(200)
        mail.request.partials = ["footer": id(8), "a b": id(9)]
        mail.request.isTest = true
        let written = mail
        try await store.write { try $0.insert(written) }
        let read = try await store.write { try $0.claimEntries(dueAt: time, limit: 1).first }
        #expect(read?.request == written.request)
    }

    static func mailsOfATemplate(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            try transaction.save(template(1), at: time)
            try transaction.save(template(2), at: time)
            for number in UInt64(0)..<6 {
                var mail = entry(200 + number)
                mail.request.templateVersionID = number == 5 ? id(60) : id(401 + number % 2)
                try transaction.insert(mail)
            }
        }
        let counts = try await store.read {
            (try $0.mailCount(ofTemplate: id(400), among: 100), try $0.mailCount(ofTemplate: id(400), among: 3))
        }
        #expect(counts == (5, 2))
    }
}

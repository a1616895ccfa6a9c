import Engine
import EngineTestKit
import Foundation
import JSONValue
import SQLStore
import Testing
import WorkflowModel

@Suite struct AuthenticationTests {
    /// A daemon and a command on one database, each with its own memory.
    private struct Stage {
        let database: TemporaryDatabase
        let daemon: EngineFixture
        let command: EngineFixture
        var keys: Authentication { Authentication(context: daemon.context) }
        var commands: Authentication { Authentication(context: command.context.acting(as: .account("ann"))) }

        init() async throws {
            database = try TemporaryDatabase()
            let store = try SQLiteStore(path: database.path, exclusively: false)
            daemon = try await EngineFixture(store: store)
            command = try await EngineFixture(store: store, clock: daemon.clock, seed: 2)
        }

        func create(_ kind: APIKey.Kind = .secret, scopes: String? = nil) async throws -> (text: String, id: Identifier)
        {
            let text = try await commands.create(
                kind, project: Project.defaultSlug, name: "Shop", scopes: try scopes.map { try KeyScopes($0) })
            return (text, try #require(try await keys.key(text)).id)
        }
    }

    @Test func scopesAreReadAndWritten() throws {
        #expect(try KeyScopes("contacts:read, send  events:write").text == "send contacts:read events:write")
        #expect(
            KeyScopes.everything.text
                == "track send contacts workflows templates segments events webhooks audit suppressions broadcasts")
        for wrong in ["", " ", "mails", "contacts:", "contacts:all", "contacts:read:write", "Contacts"] {
            #expect(throws: UseCaseError.self, "\(wrong)") { try KeyScopes(wrong) }
        }
    }

    @Test func aPublicKeyMayOnlyTrack() async throws {
        let stage = try await Stage()
        let key = try #require(try await stage.keys.key(try await stage.create(.public).text))
        #expect(key.allows(KeyScope(.track, .write)))
        #expect(!key.allows(KeyScope(.track, .read)) && !key.allows(KeyScope(.contacts, .read)))
        let error = await #expect(throws: UseCaseError.self) { try await stage.create(.public, scopes: "send") }
        #expect(error?.code == .invalid)
    }

    @Test func aRevokedKeyIsUnknownAtOnce() async throws {
        let stage = try await Stage()
        let (text, id) = try await stage.create()
        #expect(try await stage.keys.key(text) != nil)
        let trusted = try #require(try await stage.keys.find(text, trusting: true))
        try await stage.commands.revoke(id, project: Project.defaultSlug)
        #expect(try await stage.keys.key(text) == nil)
        // A request that took the key just before does nothing any more.
        let error = await #expect(throws: UseCaseError.self) {
            try await Events(context: stage.daemon.context.acting(with: trusted)).track(
                .init(projectID: stage.daemon.project.id, event: "late", email: "ann@example.org"))
        }
        #expect(error?.code == .unauthorized)
        #expect(try await stage.daemon.contact() == nil)
        let again = await #expect(throws: UseCaseError.self) {
            try await stage.commands.revoke(id, project: Project.defaultSlug)
        }
        #expect(again?.code == .notFound)
    }

    @Test func whatTheCatalogBringsDoesNotEndAKey() async throws {
        let stage = try await Stage()
        let (text, _) = try await stage.create()
        let trusted = try #require(try await stage.keys.find(text))
        try await Projects(context: stage.command.context).create("other")
        #expect(try await stage.keys.find(text, trusting: true) == trusted)
        _ = try await Events(context: stage.daemon.context.acting(with: trusted)).track(
            .init(projectID: stage.daemon.project.id, event: "here", email: "ann@example.org"))
        #expect(try await stage.keys.find(text)?.key == trusted.key)
    }

    @Test func aRotatedKeyKeepsItsIDAndItsOldTextForTheGrace() async throws {
        let stage = try await Stage()
        let (old, id) = try await stage.create(scopes: "send")
        let new = try await stage.commands.rotate(id, project: Project.defaultSlug, grace: 60)
        #expect(new != old && new.hasPrefix("sk_"))
        #expect(try await stage.keys.key(new)?.id == id)
        #expect(try await stage.keys.key(new)?.scopes?.text == "send")
        #expect(try await stage.keys.key(old)?.id == id)
        #expect(try await stage.keys.list(project: Project.defaultSlug).count == 2)
        stage.daemon.clock.advance(seconds: 60)
        #expect(try await stage.keys.find(old, trusting: true) == nil)
        #expect(try await stage.keys.key(old) == nil)
        let third = try await stage.commands.rotate(id, project: Project.defaultSlug)
        #expect(try await stage.keys.key(new) == nil)
        #expect(try await stage.keys.key(third)?.id == id)
        try await stage.commands.revoke(id, project: Project.defaultSlug)
        #expect(try await stage.keys.key(third) == nil)
        #expect(try await stage.keys.list(project: Project.defaultSlug).isEmpty)
    }

    @Test func aKeyOfAnotherProjectIsNotThere() async throws {
        let stage = try await Stage()
        let (_, id) = try await stage.create()
        try await Projects(context: stage.command.context).create("other")
        let revoked = await #expect(throws: UseCaseError.self) { try await stage.commands.revoke(id, project: "other") }
        #expect(revoked?.code == .notFound)
        let rotated = await #expect(throws: UseCaseError.self) {
            _ = try await stage.commands.rotate(id, project: "other")
        }
        #expect(rotated?.code == .notFound)
        #expect(try await stage.keys.list(project: "other").isEmpty)
    }

    @Test func aUseIsNotedOnceAMinute() async throws {
        let stage = try await Stage()
        let (text, _) = try await stage.create()
        func lastUse() async throws -> Timestamp? {
            // The note is submitted beside the request; a write behind it is done after it.
            try await stage.daemon.context.store.write { _ in }
            return try await stage.keys.list(project: Project.defaultSlug).first?.lastUsedAt
        }
        let first = try await lastUse()
        #expect(first == stage.daemon.clock.now())
        stage.daemon.clock.advance(seconds: 59)
        _ = try await stage.keys.find(text, trusting: true)
        #expect(try await lastUse() == first)
        stage.daemon.clock.advance(seconds: 1)
        _ = try await stage.keys.find(text, trusting: true)
        #expect(try await lastUse() == stage.daemon.clock.now())
    }

    @Test func strangersAreNotLookedUpForEver() async throws {
        let stage = try await Stage()
        let (text, _) = try await stage.create()
        for number in 0..<100 {
            #expect(try await stage.keys.find("sk_\(number)", from: "192.0.2.\(number % 7)") == nil)
        }
        let error = await #expect(throws: UseCaseError.self) {
            _ = try await stage.keys.find("sk_one_more", from: "192.0.2.200")
        }
        #expect(error?.code == .rateLimited)
        #expect(try await stage.keys.find(text, from: "192.0.2.200") != nil, "who is known may go on")
        #expect(try await stage.keys.find("sk_1", from: "198.51.100.1") == nil, "others are not meant")
        #expect(try await stage.keys.find("sk_1", from: "127.0.0.1") == nil, "a proxy of ours stands for everybody")
        stage.daemon.clock.advance(seconds: 1)
        #expect(try await stage.keys.find("sk_1", from: "192.0.2.200") == nil)
    }

    @Test func noByteOfAKeysTextIsInTheDatabase() async throws {
        let stage = try await Stage()
        let (secret, id) = try await stage.create(scopes: "send")
        let (trackers, _) = try await stage.create(.public)
        let rotated = try await stage.commands.rotate(id, project: Project.defaultSlug, grace: 60)
        let texts = [secret, trackers, rotated]
        for text in texts { #expect(try await stage.keys.key(text) != nil) }
        // The note of a use is submitted beside the request; a write behind it is done after it.
        try await stage.daemon.context.store.write { _ in }
        let store = try #require(stage.daemon.context.store as? SQLiteStore)
        for isClosed in [false, true] {
            if isClosed {
                try store.close()
                // Without the daemon's lock, closing leaves the log to it.
                try Rows(stage.database.path).run("PRAGMA wal_checkpoint(TRUNCATE)")
            }
            let files = [stage.database.path, stage.database.path + "-wal"].compactMap {
                FileManager.default.contents(atPath: $0)
            }
            // The name is stored beside the hash: what is looked at is where a text would be.
            #expect(files.contains { $0.range(of: Data("Shop".utf8)) != nil }, "closed: \(isClosed)")
            for text in texts {
                // The kind in front is stored as well; what is random behind it is the secret.
                let random = Data(text.dropFirst("sk_".count).utf8)
                #expect(files.allSatisfy { $0.range(of: random) == nil }, "closed: \(isClosed)")
            }
        }
    }

    @Test func whoDidItStandsInTheAuditLog() async throws {
        let stage = try await Stage()
        let (text, id) = try await stage.create(scopes: "send")
        let new = try await stage.commands.rotate(id, project: Project.defaultSlug)
        try await stage.commands.revoke(id, project: Project.defaultSlug)
        let page = try await AuditLog(context: stage.daemon.context).page(
            AuditSelection(projectID: stage.daemon.project.id, limit: 10))
        #expect(page.records.map(\.action) == ["key.revoked", "key.rotated", "key.created"])
        #expect(page.records.allSatisfy { $0.actor == .account("ann") && $0.target == "\(id)" })
        let text2 = page.records.map { JSONWriter.write($0.json) }.joined()
        #expect(!text2.contains(text) && !text2.contains(new))
        #expect(!page.hasMore)
    }
}

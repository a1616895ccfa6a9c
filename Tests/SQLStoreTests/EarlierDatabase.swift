import Engine
import EngineTestKit
import Foundation
import GRDBSQLite
import JSONValue
import Testing
import WorkflowModel

@testable import SQLStore

/// A database as a program left it that knew fewer schemas, with a row or two in the tables that matter most.
enum EarlierDatabase {
    static let time = Timestamp(seconds: 1_800_000_000)
    static let project = id(1)
    static let key = id(2)
    static let contact = id(3)
    static let event = id(4)
    static let workflow = id(5)
    static let execution = id(6)
    static let template = id(7)
    static let version = id(8)
    static let mail = id(9)
    static let segment = id(10)

    private static func id(_ number: UInt64) -> Identifier {
        Identifier(at: time.adding(seconds: Int64(number)), random: (0, number))
    }

    private struct Failure: Error {
        var text: String
    }

    /// - Parameter schema: from 1 on.
    static func make(schema: Int) throws -> TemporaryDatabase {
        let database = try TemporaryDatabase()
        // In empty tables there is nothing for what comes between the two halves of a step.
        let steps = Migrations.steps.prefix(schema).flatMap { [$0.sql, $0.last ?? ""] }
        let script = steps + [rows(schema), "PRAGMA user_version = \(schema);"]
        try run(script.joined(separator: "\n"), in: database)
        return database
    }

    /// All statements of a script, comments and all.
    static func run(_ script: String, in database: TemporaryDatabase) throws {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        guard sqlite3_open(database.path, &connection) == SQLITE_OK, let connection else {
            throw Failure(text: "cannot open \(database.path)")
        }
        SQLFunctions.register(on: connection)
        guard sqlite3_exec(connection, "BEGIN;\n\(script)\nCOMMIT;", nil, nil, nil) == SQLITE_OK else {
            throw Failure(text: String(cString: sqlite3_errmsg(connection)))
        }
    }

    /// What the program of that schema would have written. Columns are named that the first schema has; later ones have their
    /// defaults, unless the program gave them something else.
    private static func rows(_ schema: Int) -> String {
        func hex(_ id: Identifier) -> String { id.bytes.map { String(format: "%02x", $0) }.joined() }
        func blob(_ id: Identifier) -> String { "x'\(hex(id))'" }
        let now = time.microseconds
        var script = """
            INSERT INTO projects (id, slug, name, created_at) VALUES (\(blob(project)), 'shop', 'Shop', \(now));
            INSERT INTO keys (hash, id, project_id, kind, created_at)
                VALUES (x'0102', \(blob(key)), \(blob(project)), 'sk', \(now));
            INSERT INTO contacts (id, project_id, email, subscribed, data, created_at, updated_at)
                VALUES (\(blob(contact)), \(blob(project)), 'ann@example.org', 1, '{"plan":"free"}', \(now), \(now));
            INSERT INTO events (id, project_id, contact_id, name, data, source, generation, created_at)
                VALUES (\(blob(event)), \(blob(project)), \(blob(contact)), 'signed_up', '{"by":"form"}', 'api', 0, \(now));
            INSERT INTO executions (id, project_id, workflow_id, version_id, contact_id, status, once, current_step,
                    wait_events, trigger_event_id, step_count, started_at)
                VALUES (\(blob(execution)), \(blob(project)), \(blob(workflow)), \(blob(workflow)), \(blob(contact)),
                    'WAITING', 1, 'wait', 'go', \(blob(event)), 1, \(now));
            INSERT INTO waits (contact_id, event_name, execution_id)
                VALUES (\(blob(contact)), 'go', \(blob(execution)));
            INSERT INTO step_executions (execution_id, sequence, step, type, status, started_at, completed_at)
                VALUES (\(blob(execution)), 0, 'start', 'TRIGGER', 'COMPLETED', \(now), \(now));
            INSERT INTO templates (id, project_id, slug, version_id, created_at)
                VALUES (\(blob(template)), \(blob(project)), 'hello', \(blob(version)), \(now));
            INSERT INTO template_versions (id, template_id, kind, subject, text, created_at)
                VALUES (\(blob(version)), \(blob(template)), 'TRANSACTIONAL', 'Hello', 'Hi', \(now));
            INSERT INTO outbox (id, project_id, contact_id, execution_id, status, due_at, attempts, uncertain_attempts,
                    generation, template_version_id, message_id, request, created_at)
                VALUES (\(blob(mail)), \(blob(project)), \(blob(contact)), \(blob(execution)), 'pending', \(now), 0, 0, 0,
                    \(blob(version)), 'm@shop.example',
                    '{"step":"mail","kind":"TRANSACTIONAL","to":"ann@example.org","variables":{"a":1}}', \(now));
            INSERT INTO receptions (key, project_id, event_id, recipient, queue_id, received_at)
                VALUES (x'03', \(blob(project)), \(blob(event)), 'help@example.com', '4Q1', \(now));

            """
        if schema >= 2 {
            script += """
                INSERT INTO execution_counts (workflow_id, step, status, count)
                    VALUES (\(blob(workflow)), '', 'WAITING', 1), (\(blob(workflow)), 'start', 'COMPLETED', 1);

                """
        }
        if schema >= 3 {
            script += """
                INSERT INTO contact_journal (entries)
                    VALUES (x'02\(hex(contact))\(hex(execution))03\(hex(contact))\(hex(mail))');

                """
        }
        if schema >= 4 {
            script += """
                INSERT INTO segments (id, project_id, slug, name, type, created_at, updated_at)
                    VALUES (\(blob(segment)), \(blob(project)), 'vips', 'VIPs', 'STATIC', \(now), \(now));
                INSERT INTO segment_counts (segment_id, members) VALUES (\(blob(segment)), 1);
                INSERT INTO segment_members (contact_id, segment_id, entered_at)
                    VALUES (\(blob(contact)), \(blob(segment)), \(now));

                """
        }
        if schema >= 5 { script += "UPDATE templates SET name = slug, updated_at = created_at;\n" }
        if schema >= 19 {
            script += """
                INSERT INTO contact_blocks (id, project_id, first_id) VALUES (1, \(blob(project)), zeroblob(16));
                INSERT INTO segment_blocks (block_id, segment_id, members) VALUES (1, \(blob(segment)), 1);

                """
        }
        return script
    }

    /// Opens it and finds all of that through the store.
    /// - Parameter schema: in which it was made.
    static func check(_ database: TemporaryDatabase, madeWith schema: Int) async throws {
        let store = try SQLiteStore(path: database.path, exclusively: false)
        #expect(try Rows(database.path).count("PRAGMA user_version") == Migrations.steps.count)
        #expect(try Rows(database.path).run("PRAGMA integrity_check") == [["ok"]])
        let catalog = try await store.read { try $0.loadCatalog() }
        #expect(catalog.projects.map(\.slug) == ["shop"])

        let found = try await store.read { store in
            (
                event: try store.event(event, in: project), steps: try store.steps(of: execution),
                pending: try store.outboxCounts()[.pending]
            )
        }
        #expect(found.event?.name == "signed_up" && found.event?.data == ["by": "form"])
        #expect(found.steps.map(\.step) == ["start"] && found.steps.map(\.status) == [.completed])
        #expect(found.pending == 1)
        let timeline = try await HistoryProbe(store: store, project: project).timeline(of: contact).map(\.id)
        #expect(Set(timeline) == [event, execution, mail] && timeline.count == 3)
        let count = "SELECT count FROM execution_counts WHERE step = '' AND status = 'WAITING'"
        #expect(try Rows(database.path).count(count) == 1)

        try await store.write { store in
            let person = try store.contact(email: "ann@example.org", in: project)
            #expect(person?.id == contact && person?.isSubscribed == true && person?.data == ["plan": "free"])
            let stored = try store.execution(execution)
            #expect(stored?.execution.status == .waiting && stored?.execution.wait == .event(names: ["go"], due: nil))
            #expect(stored?.execution.trigger?.id == event)
            #expect(try store.executions(waitingFor: "go", contact: contact) == [execution])
            #expect(try store.hasExecution(of: workflow, contact: contact, value: nil, onlyActive: false))
            let content = try store.templateVersion(version)
            #expect(content?.number == 1 && content?.content.text == "Hi")
            let again = Reception(
                key: [3], projectID: project, eventID: event, recipient: "help@example.com", queueID: "4Q2",
                receivedAt: time)
            #expect(try store.insert(again) == false)
            // It can go.
            let claimed = try store.claimEntries(dueAt: time, limit: 10)
            #expect(claimed.map(\.id) == [mail] && claimed.first?.request.recipient == "ann@example.org")
            #expect(claimed.first?.request.variables == ["a": 1])
        }
        let known = try await store.read { try $0.key(hash: [1, 2]) }
        #expect(known?.id == key && known?.kind == .secret && known?.projectID == project)
        if schema >= 4 {
            let members = try await store.read { store in
                (try store.memberCount(of: segment), try store.members(of: segment, limit: 10, offset: 0))
            }
            #expect(members.0 == 1 && members.1.map(\.contact.id) == [contact])
        }
        try store.close()
    }
}

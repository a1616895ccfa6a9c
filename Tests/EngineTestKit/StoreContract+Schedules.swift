import Engine
import JSONValue
import Testing
import WorkflowModel

extension StoreContract {
    static func scheduled(
        _ text: String, enabled: Bool = true, name: String = "Flow", at time: Timestamp = time
    ) throws -> WorkflowRecord {
        let graph = try WorkflowGraph(steps: [Step(key: "trigger", config: .trigger)], transitions: [])
        return WorkflowRecord(
            id: id(50), projectID: project.id, slug: "flow", name: name, isEnabled: enabled, allowsReentry: true,
            trigger: .schedule(ScheduleTrigger(cron: try CronExpression(text), timezone: "Europe/Berlin")),
            versionID: id(51), versionNumber: 1, graph: graph, createdAt: time, updatedAt: time)
    }

    static let scheduleDefinition: JSON = ["steps": ["trigger": ["type": "TRIGGER"]]]

    static func scheduleComesBackWhole(_ store: any Store) async throws {
        try await seed(store)
        let workflow = try scheduled("0 9 * * MON")
        try await store.write { try $0.save(workflow, definition: scheduleDefinition) }
        let catalog = try await store.read { try $0.loadCatalog() }
        #expect(catalog.workflow(id(50))?.trigger == workflow.trigger)
        #expect(catalog.projects.map(\.timezone) == ["UTC"])
    }

    static func scheduleEntries(_ store: any Store) async throws {
        try await seed(store)
        let later = time.adding(seconds: 100)
        let workflow = try scheduled("@daily")
        let renamed = try scheduled("@daily", name: "Other", at: later)
        let changed = try scheduled("@weekly", at: later)
        let disabled = try scheduled("@weekly", enabled: false, at: later)
        try await store.write { store in
            try store.save(workflow, definition: scheduleDefinition)
            let fresh = ScheduleEntry(workflowID: id(50), dueAt: time, isPlanned: false)
            #expect(try store.schedules(dueAt: time, limit: 10) == [fresh])
            #expect(try store.schedules(dueAt: time.adding(microseconds: -1), limit: 10).isEmpty)
            #expect(try store.nextSchedule() == time)
            let next = time.adding(seconds: 60)
            try store.planSchedule(of: id(50), next: next)
            let planned = ScheduleEntry(workflowID: id(50), dueAt: next, isPlanned: true)
            #expect(try store.schedule(of: id(50)) == planned)
            // Another name is not another schedule.
            try store.save(renamed, definition: scheduleDefinition)
            #expect(try store.schedule(of: id(50)) == planned)
            #expect(try store.insert(ScheduleTick(workflowID: id(50), at: next, status: .enrolling, firedAt: next)))
            try store.save(changed, definition: scheduleDefinition)
            #expect(
                try store.schedule(of: id(50)) == ScheduleEntry(workflowID: id(50), dueAt: later, isPlanned: false))
            #expect(try store.tick(of: id(50), at: next)?.status == .stopped)
            #expect(try store.tick(of: id(50), at: next)?.completedAt == later)
            try store.save(disabled, definition: scheduleDefinition)
            #expect(try store.schedule(of: id(50)) == nil)
            #expect(try store.nextSchedule() == nil)
            // What was given up comes back with the next save.
            try store.save(changed, definition: scheduleDefinition)
            try store.planSchedule(of: id(50), next: nil)
            try store.save(changed, definition: scheduleDefinition)
            #expect(try store.schedule(of: id(50))?.isPlanned == false)
            try store.delete(workflow: id(50), at: later)
            #expect(try store.schedule(of: id(50)) == nil)
        }
    }

    static func scheduleTicks(_ store: any Store) async throws {
        try await seed(store)
        @Sendable func at(_ number: Int) -> Timestamp { time.adding(seconds: Int64(number) * 60) }
        var tick = ScheduleTick(
            workflowID: id(50), at: at(1), status: .queued, firedAt: at(2), lastContact: id(9), missed: 3)
        tick.cursor = id(4)
        let first = tick
        try await store.write { store in
            #expect(try store.insert(first))
            // The same tick is somebody else's.
            #expect(try !store.insert(ScheduleTick(workflowID: id(50), at: at(1), status: .done, firedAt: at(5))))
            #expect(try store.tick(of: id(50), at: at(1)) == first)
            var changed = first
            changed.status = .enrolling
            changed.cursor = id(5)
            changed.enrolled = 7
            changed.refused = 8
            changed.failed = 9
            try store.update(changed)
            #expect(try store.tick(of: id(50), at: at(1)) == changed)
            for number in 2...6 {
                var closed = ScheduleTick(workflowID: id(50), at: at(number), status: .skipped, firedAt: at(number))
                closed.completedAt = at(number)
                #expect(try store.insert(closed))
            }
            #expect(
                try store.insert(ScheduleTick(workflowID: id(60), at: at(0), status: .enrolling, firedAt: at(0))))
            #expect(try store.openTicks(limit: 10).map(\.workflowID) == [id(60), id(50)])
            #expect(try store.openTicks(limit: 1).map(\.workflowID) == [id(60)])
            #expect(try store.openTicks(of: id(50)) == [changed])
            #expect(try store.hasOpenTicks())
            // Open ones stay, however old.
            try store.pruneTicks(of: id(50), keeping: 2)
        }
        let kept = try await store.read { try $0.ticks(of: id(50), limit: 10) }
        #expect(kept.map(\.at) == [at(6), at(5), at(1)])
        #expect(try await store.read { try $0.ticks(of: id(50), limit: 1) }.map(\.at) == [at(6)])
    }

    static func scheduleContacts(_ store: any Store) async throws {
        try await seed(store)
        let other = Project(id: id(3), slug: "q", name: "Q", timezone: "Asia/Tokyo")
        try await store.write { store in
            try store.insert(other, at: time)
            for number in 10..<15 {
                let contact = Contact(
                    id: id(UInt64(number)), email: "c\(number)@example.org", isSubscribed: true, data: [:],
                    createdAt: time, updatedAt: time)
                try store.insert(contact, in: number == 12 ? other.id : project.id)
            }
            #expect(try store.lastContact(of: project.id) == id(14))
            #expect(try store.lastContact(of: id(99)) == nil)
            #expect(
                try store.contacts(of: project.id, after: nil, through: id(14), limit: 3) == [id(2), id(10), id(11)])
            #expect(
                try store.contacts(of: project.id, after: id(11), through: id(13), limit: 3) == [id(13)])
            #expect(try !store.hasActiveExecution(of: id(50)))
            try store.insert(execution(100, status: .completed), once: false)
            #expect(try !store.hasActiveExecution(of: id(50)))
            try store.insert(execution(101, status: .waiting, wait: .timer(due: time)), once: false)
            #expect(try store.hasActiveExecution(of: id(50)))
        }
        #expect(try await store.read { try $0.loadCatalog().timezone(of: other.id) } == "Asia/Tokyo")
    }
}

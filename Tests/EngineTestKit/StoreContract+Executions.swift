import Engine
import JSONValue
import Testing
import WorkflowModel

/// Executions: counts, timers, history.
extension StoreContract {
    private static func workflow(_ number: UInt64 = 50) throws -> WorkflowRecord {
        WorkflowRecord(
            id: id(number), projectID: project.id, slug: "w\(number)", name: "W", isEnabled: true, allowsReentry: true,
            trigger: .manual, versionID: id(51), versionNumber: 1,
            graph: try WorkflowGraph(steps: [Step(key: "trigger", config: .trigger)], transitions: []),
            timers: TimerPolicy(ratePerMinute: 6, lateAfter: 60, late: .end), createdAt: time, updatedAt: time)
    }

    private static let definition: JSON = ["steps": ["trigger": ["type": "TRIGGER"]]]

    private static func row(
        _ sequence: Int, _ step: String, _ status: StepExecution.Status, input: JSON = .null, attempts: Int = 1
    ) -> StepExecution {
        StepExecution(
            sequence: sequence, step: step, type: .waitForEvent, status: status, input: input, attempts: attempts,
            startedAt: time, completedAt: status.isFinal ? time : nil)
    }

    static func countsFollow(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            try transaction.save(try workflow(), definition: definition)
            var stored = execution(100, wait: .event(names: ["a"], due: nil))
            try transaction.insert(stored, once: false)
            try transaction.save([row(0, "trigger", .completed), row(1, "wait", .waiting)], of: id(100))
            #expect(try transaction.activeExecutionCount(workflow: id(50)) == 1)
            try transaction.insert(execution(101, status: .completed), once: false)
            // Two moves of one execution in one transaction.
            stored.execution.status = .running
            try transaction.update(stored)
            stored.execution.status = .failed
            stored.execution.wait = nil
            try transaction.update(stored)
            try transaction.save([row(1, "wait", .failed)], of: id(100))
            try transaction.countRefusal(of: id(50))
        }
        // What is undone is not counted, and its neighbours are.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<30 {
                group.addTask {
                    try? await store.write { transaction in
                        try transaction.insert(
                            execution(200 + UInt64(number), status: .exited, workflow: 50), once: false)
                        if number % 3 == 0 { throw Undone() }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await store.read { reader in
            let counts = try reader.executionCounts(in: project.id)
            #expect(counts[id(50)] == [.failed: 1, .completed: 1, .exited: 20])
            #expect(try reader.stepCounts(of: id(50)) == ["trigger": .init(done: 1), "wait": .init(failed: 1)])
            #expect(try reader.refusedEnrolments(of: id(50)) == 1)
            #expect(try reader.executions(of: id(50), status: nil, limit: 1, offset: 0).total == 22)
            #expect(try reader.executions(of: id(50), status: .exited, limit: 1, offset: 0).total == 20)
        }
        let active = try await store.write { try $0.activeExecutionCount(workflow: id(50)) }
        #expect(active == 0)
    }

    private struct Undone: Error {}

    static func failsUnread(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            try transaction.save(try workflow(), definition: definition)
            try transaction.insert(execution(100, wait: .event(names: ["a"], due: time)), once: false)
            try transaction.save([row(1, "wait", .waiting)], of: id(100))
        }
        try await store.write { transaction in
            try transaction.failExecution(id(100), reason: "broken", at: time)
            #expect(try transaction.executions(waitingFor: "a", contact: contact.id).isEmpty)
            #expect(try transaction.nextTimer() == nil)
            #expect(try transaction.execution(id(100))?.execution.currentStep == "wait")
        }
        try await store.read { reader in
            let counts = try reader.executionCounts(in: project.id)
            #expect(counts[id(50)] == [.failed: 1])
            #expect(try reader.stepCounts(of: id(50)) == ["wait": .init(failed: 1)])
            let steps = try reader.steps(of: id(100))
            #expect(steps.map(\.status) == [.failed] && steps.map(\.error) == ["broken"])
        }
    }

    static func stepComesBackWhole(_ store: any Store) async throws {
        try await seed(store)
        let call = id(90)
        let begun = row(1, "call", .running, input: ["url": "https://x.example/"])
        let stored = try await store.write { transaction in
            try transaction.insert(execution(100, status: .running, wait: .webhook(call: call)), once: false)
            try transaction.save([begun], of: id(100))
            return try transaction.execution(id(100))
        }
        #expect(stored?.execution.wait == .webhook(call: call) && stored?.execution.status == .running)
        // Its end does not say again what it was given.
        try await store.write { try $0.save([row(1, "call", .completed, attempts: 4)], of: id(100)) }
        let steps = try await store.read { try $0.steps(of: id(100)) }
        #expect(steps.map(\.input) == [begun.input] && steps.map(\.attempts) == [4])
    }

    static func activeOnes(_ store: any Store) async throws {
        try await seed(store)
        let found = try await store.write { transaction in
            for number in UInt64(0)..<5 {
                var contact = contact
                contact.id = id(300 - number)
                contact.email = "c\(number)@example.org"
                try transaction.insert(contact, in: project.id)
                var stored = execution(100 + number, status: number == 2 ? .completed : .waiting)
                stored.execution.contactID = contact.id
                try transaction.insert(stored, once: false)
            }
            let first = try transaction.activeExecutions(of: id(50), after: nil, limit: 3)
            return (first, try transaction.activeExecutions(of: id(50), after: first.last, limit: 3))
        }
        #expect(found.0.map(\.id) == [id(104), id(103), id(101)])
        #expect(found.1.map(\.id) == [id(100)])
    }

    static func timerSlots(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            let slots = try (0..<3).map { _ in
                try transaction.takeTimerSlot(of: id(50), interval: 1_000_000, at: time)
            }
            #expect(slots == [time, time.adding(seconds: 1), time.adding(seconds: 2)])
            #expect(try transaction.takeTimerSlot(of: id(60), interval: 1_000_000, at: time) == time)
            // After a pause there is nothing to catch up with.
            let later = time.adding(seconds: 60)
            #expect(try transaction.takeTimerSlot(of: id(50), interval: 1_000_000, at: later) == later)
            var stored = execution(100, wait: .timer(due: time))
            try transaction.insert(stored, once: false)
            try transaction.postponeTimer(of: id(100), to: later)
            let postponed = try transaction.execution(id(100))
            #expect(postponed?.hasSlot == true && postponed?.execution.wait == .timer(due: later))
            #expect(try transaction.nextTimer() == later)
            stored.execution.wait = .timer(due: time.adding(seconds: 90))
            try transaction.update(stored)
            #expect(try transaction.execution(id(100))?.hasSlot == false)
        }
    }

    static func history(_ store: any Store) async throws {
        try await seed(store)
        @Sendable func event(_ number: UInt64, _ name: String, _ seconds: Int64, _ n: Int64 = 0) -> Event {
            Event(
                id: id(number), name: name, data: ["n": .int(n)], source: .api, createdAt: time.adding(seconds: seconds)
            )
        }
        try await store.write { transaction in
            // Before anybody asked; ids do not tell the order.
            for event in [event(19, "a", 0, 1), event(18, "a", 0, 2), event(17, "b", 0, 3)] {
                try transaction.insert(event, contact: contact.id, in: project.id)
            }
            try transaction.insert(event(16, "a", 0), contact: nil, in: project.id)
            try transaction.keepEvents(["a"], in: project.id)
            try transaction.keepEvents(["a"], in: project.id)
            let late = event(15, "a", 5, 4)
            try transaction.insert(late, contact: contact.id, in: project.id)
            try transaction.insertOccurrence(of: late, contact: contact.id)
        }
        let kept = try await store.read { try $0.loadCatalog().keptEvents }
        #expect(kept == [project.id: ["a"]])
        try await store.write { transaction in
            func first(_ names: [String], after: UInt64?, since: Int64 = 0, atLeast: Int64 = 0) throws -> Identifier? {
                try transaction.firstOccurrence(
                    of: names, contact: contact.id, after: after.map(id), since: time.adding(seconds: since)
                ) { ($0.data["n"]?.intValue ?? 0) >= atLeast }?.id
            }
            let oldest = try first(["a", "b"], after: nil)
            #expect(oldest == id(19))
            #expect(try first(["a"], after: 19) == id(18))
            #expect(try first(["a"], after: nil, atLeast: 4) == id(15))
            #expect(try first(["a"], after: nil, since: 1) == id(15))
            #expect(try first(["b"], after: nil) == nil)
            #expect(try first(["a"], after: 15) == nil)
            #expect(try transaction.lastOccurrence(of: "a", contact: contact.id) == time.adding(seconds: 5))
            #expect(try transaction.lastOccurrence(of: "a", contact: id(9)) == nil)
        }
    }

    static func policies(_ store: any Store) async throws {
        try await seed(store)
        let saved = try workflow()
        try await store.write { try $0.save(saved, definition: definition) }
        let catalog = try await store.read { try $0.loadCatalog() }
        #expect(catalog.workflow(id(50))?.timers == saved.timers)
    }
}

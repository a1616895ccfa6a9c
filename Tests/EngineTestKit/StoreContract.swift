import Engine
import JSONValue
import Testing
import WorkflowModel

/// What every store driver must do. A driver's test suite calls `verify` for each case with a fresh store.
package enum StoreContract: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case failedBodyLeavesNothing
    case neighbourOfAFailedBodyCommits
    case reentryConstraintRefusesSecondExecution
    case reentryGoesByValues
    case activeConstraintRefusesSecondActiveExecution
    case executionComesBackWhole
    case waitsAreFoundByContactAndEvent
    case updateReplacesWaitAndTimer
    case dueExecutionsComeLongestDueFirst
    case claimTakesDuePendingEntriesOnce
    case releasedClaimsCountAsUncertain
    case receptionIsStoredOnce
    case oldReceptionsGoInParts
    case waitingMailComesBackWholeAndIsTakenOnce
    case outcomesComeNewestFirstAndAreForgotten
    case pixelHitsAreLimitedAndBurstsAreOneLook
    case oldHitsGoInPartsAndTheRestStays
    case catalogVersionMovesWithTheCatalog
    case versionIsUsedFromItsFirstExecution
    case definitionIsReplacedInPlace
    case deletedWorkflowIsGoneAndItsSlugIsFree
    case secretIsKept
    case countersAddUp
    case automaticRepliesAreRememberedAndCounted
    case lastStopOfRepliesIsKept
    case webhookCallComesBackWhole
    case webhookClaimTakesDuePendingCallsOnce
    case webhookBacklogOfOneReceiverKeepsNobodyWaiting
    case webhookRetryCountsAndEndRemoves
    case releasedWebhookClaimsCountAsAttempts
    case webhookCallsGoWithTheirExecution
    case webhookSecretsAreKeptByProject
    case scheduleComesBackWhole
    case scheduleEntryFollowsItsWorkflow
    case scheduleTickIsThereOnce
    case contactsComeInTheOrderOfTheirIDs
    case contactsComeInPagesAndAreCounted
    case contactHasOneAddressAndAnImportLeavesItsMark
    case contactJobComesBackWhole
    case finishedChangeForgetsItsPlan

    case countsFollowExecutionsAndSteps
    case executionFailsWithoutBeingRead
    case stepAndWebhookWaitComeBackWhole
    case activeExecutionsComeInPages
    case timerSlotsAreTakenOnce
    case historyIsKeptForTheNamesAskedFor
    case timerPolicyComesBackWhole
    case whatComesBackOfAMailIsThereOnce
    case sharedHitsAreNumbersByDay
    case oldSharedHitsGoLittleByLittle
    case mailIsFoundByTheQueueIDOfItsRelay
    case reportsComeFromTheNewestAndAreForgotten
    case queuesAreReadForwardAndByDomain
    case claimByIDTakesPendingAndDueOnce
    case firstAttemptIsKept
    case pausesComeAndGo
    case paceIsCountedByDay
    case segmentComesBackWhole
    case membersComeAndGo
    case membersAreFoundWhateverTheOrderOfIds
    case membersAreForgottenWithTheirContact
    case deviationsAreFoundInParts
    case segmentTimersComeLongestDueFirst
    case deletedSegmentGoesLittleByLittle
    case subscriptionsAreKeptAndMoveTheCatalog
    case deliveriesAreClaimedOnceByTheirSubscription
    case deliveryEndsOnceAndComesAgainWhenAskedFor
    case failedDeliveriesAreQueuedAgainInTheirSpan
    case deliveriesAreListedFromTheNewest
    case deliveriesAreSweptInBatches

    case eventsComeBackWhole
    case timelineMixesKinds
    case eventsAreCountedByNameAndDay
    case deletedEventsLeaveNoCount
    case suppressedAddressesAreOneProjects
    case templateComesBackWholeWithItsVersions
    case renamedTemplateKeepsItsVersion
    case deletedTemplateIsGoneAndItsVersionsStay
    case mailKnowsItsPartials
    case mailsOfATemplateAreCountedAmongTheNewest
    case keyComesBackWholeAndEnds
    case idempotencyRecordIsTheFirstRequests
    case auditLogComesNewestFirstInPages
    case unnamedVersionsAreFoundByTheirContent
    case broadcastComesBackWhole
    case broadcastMailsAreThereOnceAndCounted
    case recipientsOfABroadcastGoLittleByLittle
    case waitingMailsFollowTheirBroadcast
    case audienceIsCounted

    package var testDescription: String { rawValue }

    package func verify(_ store: any Store) async throws {
        switch self {
        case .failedBodyLeavesNothing: try await Self.failedBodyLeavesNothing(store)
        case .neighbourOfAFailedBodyCommits: try await Self.neighbourOfAFailedBodyCommits(store)
        case .reentryGoesByValues: try await Self.reentryValues(store)
        case .reentryConstraintRefusesSecondExecution: try await Self.reentry(store, once: true, status: .completed)
        case .activeConstraintRefusesSecondActiveExecution: try await Self.reentry(store, once: false, status: .running)
        case .executionComesBackWhole: try await Self.executionComesBackWhole(store)
        case .waitsAreFoundByContactAndEvent: try await Self.waitsAreFound(store)
        case .updateReplacesWaitAndTimer: try await Self.updateReplacesWaitAndTimer(store)
        case .dueExecutionsComeLongestDueFirst: try await Self.dueExecutions(store)
        case .claimTakesDuePendingEntriesOnce: try await Self.claims(store)
        case .releasedClaimsCountAsUncertain: try await Self.releasedClaims(store)
        case .receptionIsStoredOnce: try await Self.receptions(store)
        case .oldReceptionsGoInParts: try await Self.oldReceptions(store)
        case .waitingMailComesBackWholeAndIsTakenOnce: try await Self.waitingMail(store)
        case .outcomesComeNewestFirstAndAreForgotten: try await Self.outcomes(store)
        case .pixelHitsAreLimitedAndBurstsAreOneLook: try await Self.pixelHits(store)
        case .oldHitsGoInPartsAndTheRestStays: try await Self.oldHits(store)
        case .catalogVersionMovesWithTheCatalog: try await Self.catalogVersion(store)
        case .versionIsUsedFromItsFirstExecution: try await Self.usedVersion(store)
        case .definitionIsReplacedInPlace: try await Self.replacedDefinition(store)
        case .deletedWorkflowIsGoneAndItsSlugIsFree: try await Self.deletedWorkflow(store)
        case .secretIsKept: try await Self.secret(store)
        case .countersAddUp: try await Self.counters(store)
        case .automaticRepliesAreRememberedAndCounted: try await Self.automaticReplies(store)
        case .lastStopOfRepliesIsKept: try await Self.replyStops(store)
        case .webhookCallComesBackWhole: try await Self.webhookCallComesBackWhole(store)
        case .webhookClaimTakesDuePendingCallsOnce: try await Self.webhookClaims(store)
        case .webhookBacklogOfOneReceiverKeepsNobodyWaiting: try await Self.webhookReceivers(store)
        case .webhookRetryCountsAndEndRemoves: try await Self.webhookRetries(store)
        case .releasedWebhookClaimsCountAsAttempts: try await Self.webhookRelease(store)
        case .webhookCallsGoWithTheirExecution: try await Self.webhookDeletion(store)
        case .webhookSecretsAreKeptByProject: try await Self.webhookSecrets(store)
        case .scheduleComesBackWhole: try await Self.scheduleComesBackWhole(store)
        case .scheduleEntryFollowsItsWorkflow: try await Self.scheduleEntries(store)
        case .scheduleTickIsThereOnce: try await Self.scheduleTicks(store)
        case .contactsComeInTheOrderOfTheirIDs: try await Self.scheduleContacts(store)
        case .contactsComeInPagesAndAreCounted: try await Self.contactPages(store)
        case .contactHasOneAddressAndAnImportLeavesItsMark: try await Self.contactAddresses(store)
        case .finishedChangeForgetsItsPlan: try await Self.finishedChangeForgetsItsPlan(store)
        case .contactJobComesBackWhole: try await Self.contactJobs(store)
        case .countsFollowExecutionsAndSteps: try await Self.countsFollow(store)
        case .executionFailsWithoutBeingRead: try await Self.failsUnread(store)
        case .stepAndWebhookWaitComeBackWhole: try await Self.stepComesBackWhole(store)
        case .activeExecutionsComeInPages: try await Self.activeOnes(store)
        case .timerSlotsAreTakenOnce: try await Self.timerSlots(store)
        case .historyIsKeptForTheNamesAskedFor: try await Self.history(store)
        case .timerPolicyComesBackWhole: try await Self.policies(store)
        case .whatComesBackOfAMailIsThereOnce: try await Self.mailReturns(store)
        case .sharedHitsAreNumbersByDay: try await Self.sharedHits(store)
        case .oldSharedHitsGoLittleByLittle: try await Self.oldSharedHits(store)
        case .mailIsFoundByTheQueueIDOfItsRelay: try await Self.queueIDs(store)
        case .reportsComeFromTheNewestAndAreForgotten: try await Self.reports(store)
        case .queuesAreReadForwardAndByDomain: try await Self.queuesAreReadForward(store)
        case .claimByIDTakesPendingAndDueOnce: try await Self.claimByIDTakesPendingAndDueOnce(store)
        case .firstAttemptIsKept: try await Self.firstAttemptIsKept(store)
        case .pausesComeAndGo: try await Self.pausesComeAndGo(store)
        case .paceIsCountedByDay: try await Self.paceIsCountedByDay(store)
        case .segmentComesBackWhole: try await Self.segmentComesBackWhole(store)
        case .membersComeAndGo: try await Self.members(store)
        case .membersAreFoundWhateverTheOrderOfIds: try await Self.membersInAnyOrder(store)
        case .membersAreForgottenWithTheirContact: try await Self.forgottenMembers(store)
        case .deviationsAreFoundInParts: try await Self.deviations(store)
        case .segmentTimersComeLongestDueFirst: try await Self.segmentTimers(store)
        case .deletedSegmentGoesLittleByLittle: try await Self.deletedSegment(store)
        case .subscriptionsAreKeptAndMoveTheCatalog: try await Self.subscriptionsAreKept(store)
        case .deliveriesAreClaimedOnceByTheirSubscription: try await Self.deliveryClaims(store)
        case .deliveryEndsOnceAndComesAgainWhenAskedFor: try await Self.deliveryEnds(store)
        case .failedDeliveriesAreQueuedAgainInTheirSpan: try await Self.failedDeliveriesAreQueuedAgain(store)
        case .deliveriesAreListedFromTheNewest: try await Self.deliveryLists(store)
        case .deliveriesAreSweptInBatches: try await Self.deliverySweeps(store)
        case .eventsComeBackWhole: try await Self.eventsComeBackWhole(store)
        case .timelineMixesKinds: try await Self.timelineMixesKinds(store)
        case .eventsAreCountedByNameAndDay: try await Self.eventsAreCountedByNameAndDay(store)
        case .deletedEventsLeaveNoCount: try await Self.deletedEventsLeaveNoCount(store)
        case .suppressedAddressesAreOneProjects: try await Self.suppressedAddressesAreOneProjects(store)
        case .templateComesBackWholeWithItsVersions: try await Self.templateVersions(store)
        case .renamedTemplateKeepsItsVersion: try await Self.renamedTemplate(store)
        case .deletedTemplateIsGoneAndItsVersionsStay: try await Self.deletedTemplate(store)
        case .mailKnowsItsPartials: try await Self.mailPartials(store)
        case .mailsOfATemplateAreCountedAmongTheNewest: try await Self.mailsOfATemplate(store)
        case .keyComesBackWholeAndEnds: try await Self.keys(store)
        case .idempotencyRecordIsTheFirstRequests: try await Self.idempotency(store)
        case .auditLogComesNewestFirstInPages: try await Self.auditLog(store)
        case .unnamedVersionsAreFoundByTheirContent: try await Self.unnamedVersions(store)
        case .broadcastComesBackWhole: try await Self.broadcastsComeBack(store)
        case .broadcastMailsAreThereOnceAndCounted: try await Self.broadcastMails(store)
        case .recipientsOfABroadcastGoLittleByLittle: try await Self.recipientsGo(store)
        case .waitingMailsFollowTheirBroadcast: try await Self.waitingBroadcastMails(store)
        case .audienceIsCounted: try await Self.audiences(store)
        }
    }

    // MARK: Values

    static let time = Timestamp(seconds: 1_800_000_000)
    static func id(_ number: UInt64) -> Identifier { Identifier(high: 7, low: number) }
    static let project = Project(id: id(1), slug: "p", name: "P")
    static let contact = Contact(
        id: id(2), email: "ann@example.org", isSubscribed: true, data: ["plan": "free"], createdAt: time,
        updatedAt: time)

    static func seed(_ store: any Store) async throws {
        try await store.write {
            try $0.insert(project, at: time)
            try $0.insert(contact, in: project.id)
        }
    }

    static func execution(
        _ number: UInt64, status: Execution.Status = .waiting, wait: Execution.Wait? = nil, workflow: UInt64 = 50
    ) -> StoredExecution {
        StoredExecution(
            execution: Execution(
                id: id(number), workflowID: id(workflow), contactID: contact.id, status: status,
                currentStep: status.isFinal ? nil : "wait", wait: wait, context: ["a": 1], stepCount: 2,
                startedAt: time, completedAt: status.isFinal ? time : nil),
            projectID: project.id, versionID: id(51))
    }

    static func entry(_ number: UInt64, due: Int64 = 0) -> OutboxEntry {
        OutboxEntry(
            id: id(number), projectID: project.id, contactID: contact.id, executionID: id(100),
            dueAt: time.adding(seconds: due), createdAt: time, generation: 1,
            request: MailRequest(
                id: id(number), step: "send", templateVersionID: id(60), kind: .transactional,
                recipient: "ann@example.org", from: "a@example.com", replyTo: "b@example.com",
                variables: ["event": ["subject": "Hi"]],
                answers: .init(writtenTo: "w@example.com", subject: "Hi", messageID: "m@x", references: ["r@x"])),
            messageID: "\(number)@example.com")
    }

    // MARK: Cases

    private struct Expected: Error {}

    private static func failedBodyLeavesNothing(_ store: any Store) async throws {
        await #expect(throws: Expected.self) {
            try await store.write {
                try $0.insert(project, at: time)
                throw Expected()
            }
        }
        let projects = try await store.read { try $0.loadCatalog().projects }
        #expect(projects.isEmpty)
    }

    private static func neighbourOfAFailedBodyCommits(_ store: any Store) async throws {
        // Many at once, so that they share commits; every third fails after it has written.
        let count = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<60 {
                group.addTask {
                    do {
                        try await store.write {
                            try $0.count("kept", by: 1)
                            if number % 3 == 0 { throw Expected() }
                        }
                        return true
                    } catch is Expected {
                        return false
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(count == 40)
        let counters = try await store.read { try $0.counters() }
        #expect(counters["kept"] == 40)
    }

    private static func reentry(_ store: any Store, once: Bool, status: Execution.Status) async throws {
        try await seed(store)
        try await store.write { try $0.insert(execution(100, status: status), once: once) }
        let error = await #expect(throws: StoreError.self) {
            try await store.write { try $0.insert(execution(101, status: status), once: once) }
        }
        #expect(error?.code == .conflict)
        // Another workflow is another matter.
        try await store.write { try $0.insert(execution(102, status: status, workflow: 70), once: once) }
    }

    private static func reentryValues(_ store: any Store) async throws {
        try await seed(store)
        func insert(_ number: UInt64, _ value: String?, status: Execution.Status = .running) async -> Bool {
            var stored = execution(number, status: status)
            stored.reentryValue = value
            let row = stored
            do {
                try await store.write { try $0.insert(row, once: true) }
                return true
            } catch { return false }
        }
        #expect(await insert(100, "a"))
        #expect(await !insert(101, "a"))
        #expect(await insert(102, "b", status: .completed))
        #expect(await !insert(103, "b"))
        #expect(await insert(104, nil))
        #expect(await !insert(105, nil))
        try await store.write { transaction in
            func has(_ value: String?, _ onlyActive: Bool) throws -> Bool {
                try transaction.hasExecution(of: id(50), contact: contact.id, value: value, onlyActive: onlyActive)
            }
            #expect(try has("a", true) && has("a", false) && has("b", false) && has(nil, true) && has(nil, false))
            #expect(try !has("b", true) && !has("c", false))
            #expect(try transaction.execution(id(100))?.reentryValue == "a")
            #expect(try transaction.execution(id(104))?.reentryValue == nil)
            // In pages of one, a contact's executions all come.
            var found: [ActiveExecution] = []
            while let next = try transaction.activeExecutions(of: id(50), after: found.last, limit: 1).first {
                found.append(next)
            }
            #expect(found.map(\.id) == [id(104), id(100)] && found.map(\.reentryValue) == [nil, "a"])
        }
    }

    private static func executionComesBackWhole(_ store: any Store) async throws {
        try await seed(store)
        let trigger = Event(id: id(10), name: "t", data: ["x": 1], source: .api, generation: 2, createdAt: time)
        let resumed = Event(id: id(11), name: "r", data: ["y": 2], source: .system, createdAt: time)
        var stored = execution(100, wait: .event(names: ["a", "b"], due: time.adding(seconds: 5)))
        stored.execution.trigger = trigger
        stored.execution.resumedBy = resumed
        stored.execution.outputs = ["first": ["k": "v"], "second": .null]
        let steps = [
            StepExecution(
                sequence: 0, step: "first", type: .trigger, status: .completed, output: ["k": "v"], startedAt: time,
                completedAt: time),
            StepExecution(sequence: 1, step: "second", type: .waitForEvent, status: .waiting, startedAt: time),
        ]
        let before = stored
        let after = try await store.write { transaction in
            try transaction.insert(trigger, contact: contact.id, in: project.id)
            try transaction.insert(resumed, contact: contact.id, in: project.id)
            try transaction.insert(before, once: false)
            try transaction.save(steps, of: id(100))
            return try transaction.execution(id(100))
        }
        #expect(after?.execution == before.execution)
        #expect(after?.projectID == before.projectID && after?.versionID == before.versionID)
        let readSteps = try await store.read { try $0.steps(of: id(100)) }
        #expect(readSteps == steps)
    }

    private static func waitsAreFound(_ store: any Store) async throws {
        try await seed(store)
        let found = try await store.write { transaction in
            try transaction.insert(execution(100, wait: .event(names: ["a", "b", "a"], due: nil)), once: false)
            return (
                try transaction.executions(waitingFor: "a", contact: contact.id),
                try transaction.executions(waitingFor: "b", contact: contact.id),
                try transaction.executions(waitingFor: "c", contact: contact.id),
                try transaction.executions(waitingFor: "a", contact: id(9))
            )
        }
        #expect(found.0 == [id(100)] && found.1 == [id(100)] && found.2.isEmpty && found.3.isEmpty)
    }

    private static func updateReplacesWaitAndTimer(_ store: any Store) async throws {
        try await seed(store)
        try await store.write { transaction in
            var stored = execution(100, wait: .event(names: ["a"], due: time))
            try transaction.insert(stored, once: false)
            stored.execution.wait = .timer(due: time.adding(seconds: 60))
            try transaction.update(stored)
            #expect(try transaction.executions(waitingFor: "a", contact: contact.id).isEmpty)
            #expect(try transaction.nextTimer() == time.adding(seconds: 60))
            stored.execution.status = .cancelled
            stored.execution.wait = nil
            try transaction.update(stored)
            #expect(try transaction.nextTimer() == nil)
        }
    }

    private static func dueExecutions(_ store: any Store) async throws {
        try await seed(store)
        let due = try await store.write { transaction in
            let table: [(UInt64, Int64)] = [(100, 30), (101, 10), (102, 20), (103, 90)]
            for (number, seconds) in table {
                let wait = Execution.Wait.timer(due: time.adding(seconds: seconds))
                try transaction.insert(execution(number, wait: wait, workflow: 500 + number), once: false)
            }
            let all = try transaction.executions(dueAt: time.adding(seconds: 30), limit: 10)
            let one = try transaction.executions(dueAt: time.adding(seconds: 30), limit: 1)
            return [all, one]
        }
        #expect(due == [[id(101), id(102), id(100)], [id(101)]])
    }

    private static func claims(_ store: any Store) async throws {
        try await seed(store)
        try await store.write {
            try $0.insert(entry(200, due: 5))
            try $0.insert(entry(201, due: 0))
            try $0.insert(entry(202, due: 60))
        }
        let first = try await store.write { try $0.claimEntries(dueAt: time.adding(seconds: 5), limit: 10) }
        #expect(first.map(\.id) == [id(201), id(200)])
        #expect(first.last?.request == entry(200).request)
        let second = try await store.write { try $0.claimEntries(dueAt: time.adding(seconds: 5), limit: 10) }
        #expect(second.isEmpty)
        let next = try await store.write { transaction in
            try transaction.record(
                AttemptRecord(status: .pending, dueAt: time.adding(seconds: 30), at: time, reply: "451 later"),
                of: id(200))
            try transaction.record(AttemptRecord(status: .delivered, at: time, reply: "250 ok"), of: id(201))
            return (
                try transaction.nextEntry(), try transaction.deliveredAt(id(201)), try transaction.deliveredAt(id(200))
            )
        }
        #expect(next.0 == time.adding(seconds: 30) && next.1 == time && next.2 == nil)
        let again = try await store.write { try $0.claimEntries(dueAt: time.adding(seconds: 30), limit: 10) }
        #expect(again.map(\.attempts) == [1])
    }

    private static func releasedClaims(_ store: any Store) async throws {
        try await seed(store)
        let (released, after) = try await store.write { transaction in
            try transaction.insert(entry(200))
            _ = try transaction.claimEntries(dueAt: time, limit: 1)
            return (try transaction.releaseClaims(at: time), try transaction.entry(id(200)))
        }
        #expect(released == [id(200)])
        #expect(after?.status == .pending && after?.uncertainAttempts == 1 && after?.attempts == 1)
    }

    private static func receptions(_ store: any Store) async throws {
        try await seed(store)
        let reception = Reception(
            key: [1, 2, 3], projectID: project.id, eventID: id(10), recipient: "r@example.com", queueID: "Q",
            receivedAt: time)
        let stored = try await store.write { (try $0.insert(reception), try $0.insert(reception)) }
        #expect(stored.0 && !stored.1)
    }

    private static func pixelHits(_ store: any Store) async throws {
        try await seed(store)
        @Sendable func hit(_ seconds: Int64, network: String = "192.0.2.0/24", reason: String? = nil) -> PixelHit {
            PixelHit(
                entryID: id(200), at: time.adding(seconds: seconds), userAgent: "UA", network: network,
                machineReason: reason)
        }
        let firsts = try await store.write { transaction in
            try transaction.insert(entry(200))
            return [
                try transaction.record(hit(0, reason: "prefetch"), limit: 3),
                try transaction.record(hit(1), limit: 3),
                try transaction.record(hit(2), limit: 3),
                try transaction.record(hit(100), limit: 3),
                try transaction.record(hit(101, network: "198.51.100.0/24"), limit: 3),
            ]
        }
        #expect(firsts == [false, true, false, false, false])
    }

    private static func catalogVersion(_ store: any Store) async throws {
        let before = try await store.write { try $0.catalogVersion() }
        try await seed(store)
        let after = try await store.write { try $0.catalogVersion() }
        #expect(after != before)
    }

    private static func secret(_ store: any Store) async throws {
        let first = try await store.write { try $0.secret("s", orInsert: [1, 2]) }
        let second = try await store.write { try $0.secret("s", orInsert: [3, 4]) }
        #expect(first == [1, 2] && second == [1, 2])
        try await store.write { try $0.replaceSecret("s", with: [5, 6, 7]) }
        let third = try await store.write { try $0.secret("s", orInsert: [3, 4]) }
        #expect(third == [5, 6, 7])
    }

    private static func counters(_ store: any Store) async throws {
        try await store.write {
            try $0.count("c", by: 2)
            try $0.count("c", by: 3)
        }
        let counters = try await store.read { try $0.counters() }
        #expect(counters == ["c": 5])
    }
}

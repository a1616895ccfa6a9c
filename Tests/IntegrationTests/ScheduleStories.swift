import Engine
import Foundation
import JSONValue
import SQLStore
import ServerTestKit
import Testing
import WorkflowModel

/// A schedule that came due while nobody was there, and a daemon that dies over the work.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct ScheduleStories {
    private static let contacts = 10_000
    /// It fires on leap days alone, so nothing but the missed tick is due.
    private static let workflow = StoryWorkflow(
        slug: "digest",
        text: """
            workflow: digest
            enabled: true
            trigger: {schedule: "0 0 29 2 *", timezone: Europe/Berlin, all: true}
            steps:
              trigger: {type: TRIGGER, next: note}
              note: {type: UPDATE_CONTACT, config: {data: {digest: "{{ context.schedule.at }}"}}}
            """)

    /// What a test looks at and puts there, beside the daemon.
    private struct Backdoor {
        let store: SQLiteStore
        let workflow: WorkflowRecord

        init(_ story: StorySite) async throws {
            store = try SQLiteStore(path: story.directory.path("postrider.db"), exclusively: false)
            let catalog = try await store.read { try $0.loadCatalog() }
            workflow = try #require(catalog.workflows.first { $0.slug == "digest" })
        }

        /// Makes contacts that were there two hours ago, and a tick that was due an hour ago.
        func prepare(contacts: Int = ScheduleStories.contacts) async throws {
            let past = Timestamp(seconds: Int64(Date().timeIntervalSince1970) - 7200)
            let identifiers = IdentifierSource()
            let project = workflow.projectID
            let workflow = self.workflow.id
            try await store.write { store in
                for number in 0..<contacts {
                    let contact = Contact(
                        id: identifiers.make(at: past), email: "c\(number)@example.org", isSubscribed: number % 10 != 0,
                        data: [:], createdAt: past, updatedAt: past)
                    try store.insert(contact, in: project)
                }
                try store.planSchedule(of: workflow, next: past.adding(seconds: 3600))
            }
        }

        func tick() async throws -> ScheduleTick? {
            let id = workflow.id
            return try await store.read { try $0.ticks(of: id, limit: 1).first }
        }

        func executionCount() async throws -> Int {
            let (project, id) = (workflow.projectID, workflow.id)
            return try await store.read { try $0.executionCounts(in: project)[id]?.values.reduce(0, +) ?? 0 }
        }
    }

    /// The zone of the machine is one that is nobody's, and changes nothing.
    @Test func daemonThatIsKilledOverAnEnrolmentEnrolsEverybodyOnce() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port, workflows: [Self.workflow])
        let backdoor = try await Backdoor(story)
        try await backdoor.prepare()
        let subscribed = Self.contacts * 9 / 10
        for part in 1...3 {
            let daemon = try await story.site.startDaemon(environment: ["TZ": "Australia/Lord_Howe"])
            try await eventually("part \(part) is enrolled", deadline: .seconds(30), every: .milliseconds(1)) {
                (try await backdoor.tick()?.enrolled ?? 0) >= subscribed * part / 6
            }
            try await daemon.process.kill()
        }
        let daemon = try await story.site.startDaemon()
        try await eventually("everybody is enrolled", deadline: .seconds(60)) {
            try await backdoor.tick()?.status == .done
        }
        let tick = try #require(try await backdoor.tick())
        #expect(tick.enrolled == subscribed)
        #expect(tick.refused == 0)
        #expect(tick.missed == 1)
        // Re-entry is forbidden, so a second enrolment would have been refused and counted.
        #expect(try await backdoor.executionCount() == subscribed)
        #expect(try await daemon.counter("enrolments_refused") == 0)
        #expect(try await daemon.counter("schedule_ticks_fired") == 1)
        #expect(try await daemon.counter("schedule_ticks_missed") == 1)
        let schedule = try await daemon.api("/workflows/\(backdoor.workflow.id)/stats")["schedule"]
        let shown = schedule?["ticks"]?.arrayValue?.first
        #expect(shown?["status"] == "done")
        #expect(shown?["enrolled"]?.intValue == Int64(subscribed))
        #expect(schedule?["nextAt"]?.stringValue?.contains("-02-28T23:00:00") == true)
        try await daemon.process.terminate()
        try await story.stop()
    }

    @Test func enrolmentNeitherGrowsTheDaemonNorKeepsEventsWaiting() async throws {
        let relay = try StoryRelay()
        let story = try await StorySite(relayPort: relay.port, workflows: [Self.workflow])
        let backdoor = try await Backdoor(story)
        // Enough that it takes a while, however many other tests this one shares the machine with.
        let contacts = 3 * Self.contacts
        try await backdoor.prepare(contacts: contacts)
        let daemon = try await story.site.startDaemon()
        try await eventually("it has begun", deadline: .seconds(30), every: .milliseconds(1)) {
            (try await backdoor.tick()?.enrolled ?? 0) >= 500
        }
        let early = try #require(daemon.process.residentMemory)
        var tracked = 0
        while try await backdoor.tick()?.status == .enrolling {
            #expect(try await daemon.track("visited", "visitor@example.org") == 200)
            tracked += 1
        }
        let late = try #require(daemon.process.residentMemory)
        // The enrolment takes some hundred transactions; events come in between.
        #expect(tracked >= 10)
        #expect(late - early < 48 << 20, "from \(early >> 20) to \(late >> 20) MiB")
        #expect(try await backdoor.tick()?.enrolled == contacts * 9 / 10)
        try await daemon.process.terminate()
        try await story.stop()
    }
}

import Engine
import Foundation
import Testing
import WorkflowModel

@Suite struct SystemZonesTests {
    private let zones = SystemZones()

    private func moment(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

    @Test(arguments: [
        ("UTC", "2026-07-01T00:00:00Z", 0), ("Europe/Berlin", "2026-03-29T00:59:59Z", 3600),
        ("Europe/Berlin", "2026-03-29T01:00:00Z", 7200), ("America/New_York", "2026-11-01T05:59:59Z", -14_400),
        ("America/New_York", "2026-11-01T06:00:00Z", -18_000),
        ("Australia/Lord_Howe", "2026-10-03T15:29:59Z", 37_800),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z", 39_600),
        ("Pacific/Apia", "2011-12-30T09:59:59Z", -36_000), ("Pacific/Apia", "2011-12-30T10:00:00Z", 50_400),
    ])
    func offsetIsTheDatabases(_ zone: String, _ time: String, _ seconds: Int64) throws {
        #expect(zones.offset(at: try moment(time), zone: zone) == seconds)
    }

    @Test func fractionOfASecondBeforeAChangeIsBeforeIt() throws {
        let change = try moment("2026-03-29T01:00:00Z")
        #expect(zones.offset(at: change.adding(microseconds: -1), zone: "Europe/Berlin") == 3600)
        #expect(zones.offset(at: Timestamp(microseconds: -1), zone: "UTC") == 0)
    }

    @Test(arguments: [
        "Mars/Base", "", "europe/berlin", "CEST", "GMT+2", "GMT+0200", "UTC+1", "Europe/Berlin\0x", " Europe/Berlin",
        "../Europe/Berlin", "localtime", "Z",
    ])
    func otherTextIsNoZone(_ name: String) {
        #expect(!zones.isKnown(name))
        #expect(zones.offset(at: Timestamp(seconds: 0), zone: name) == nil)
    }

    @Test(arguments: ["UTC", "GMT", "Etc/UTC", "US/Eastern", "Asia/Kolkata", "Asia/Calcutta", "Europe/Kyiv"])
    func namesAndLinksAreKnown(_ name: String) {
        #expect(zones.isKnown(name))
    }

    @Test func zoneOfTheMachineDoesNotMatter() throws {
        let cron = try CronExpression("30 2 * * *")
        let window = SendWindow(days: Set(0..<7), from: 540, to: 1020)
        let time = try moment("2026-03-28T20:00:00Z")
        func results() -> [Timestamp?] {
            ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"].flatMap {
                [
                    cron.next(after: time, zone: $0, rules: SystemZones()),
                    window.earliest(notBefore: time, zone: $0, rules: SystemZones()),
                ]
            }
        }
        let before = NSTimeZone.default
        defer { NSTimeZone.default = before }
        let expected = results()
        for zone in ["Asia/Tokyo", "America/St_Johns"] {
            NSTimeZone.default = try #require(TimeZone(identifier: zone))
            #expect(results() == expected)
        }
    }

    @Test func manyThreadsAskAtOnce() async {
        await withTaskGroup(of: Int.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let names = TimeZone.knownTimeZoneIdentifiers
                    return (0..<200).count { SystemZones().isKnown(names[($0 * 7 + task) % names.count]) }
                }
            }
            for await count in group { #expect(count == 200) }
        }
    }
}

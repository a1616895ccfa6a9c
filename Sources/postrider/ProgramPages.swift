import Glibc

/// The pages of the program and of its libraries that are in memory.
enum ProgramPages {
    /// Lets go of those that are as their files have them.
    ///
    /// A start goes once through nearly all of the program: the linker, the tables of types, commands and configuration. What
    /// is needed again comes back from the kernel's cache with its first use, as it does when memory is short (madvise(2),
    /// MADV_DONTNEED on private mappings of files).
    static func letGo() {
        for pages in unchangedPages() {
            madvise(UnsafeMutableRawPointer(bitPattern: pages.lowerBound), pages.count, MADV_DONTNEED)
        }
    }

    /// Mappings that nobody can write to and in which no page is our own. Pages that the linker has relocated are, and so are those
    /// with a debugger's breakpoints: they would be lost (proc_pid_smaps(5)).
    /// - Returns: none where the kernel does not tell.
    private static func unchangedPages() -> [Range<UInt>] {
        guard let file = fopen("/proc/self/smaps", "re") else { return [] }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        var found: [Range<UInt>] = []
        var mapping: Range<UInt>?
        while getline(&line, &capacity, file) > 0, let line {
            let words = String(cString: line).split(whereSeparator: \.isWhitespace)
            switch words.first {
            case "Anonymous:"?:
                if let mapping, words.count > 1, words[1] == "0" { found.append(mapping) }
                mapping = nil
            case let first? where !first.hasSuffix(":"): mapping = readOnlyFile(words)
            default: break
            }
        }
        return found
    }

    /// - Parameter words: addresses, permissions, offset, device, inode and path of a mapping.
    private static func readOnlyFile(_ words: [Substring]) -> Range<UInt>? {
        guard words.count > 5, words[1] == "r-xp" || words[1] == "r--p", words[4] != "0" else { return nil }
        let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
    }
}

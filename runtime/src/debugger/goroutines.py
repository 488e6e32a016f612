# Goroutines in gdb: `info goroutines`, and commands in the frames of a parked goroutine.
#
# The scheduler keeps everything that this script needs in a table, the section `goroutines_debug_v1`: where the
# goroutines are listed, and what lies where in their descriptors. Neither symbols nor debug information are needed for
# that. Nothing is written to the process, nor to a core file.
#
# How a command is run in a parked goroutine: an unwinder makes what the goroutine has saved the caller of the frame in
# which the selected thread stands. So the goroutine's frames begin with number 1. A filter hides frame 0 in backtraces.
# A segment (`goroutines::grow`) may lie on either side of the stack that it continues, and gdb ends a backtrace where
# the older frame has the lower address. Then the command is run again from there, for the rest of the stack.

import itertools
import re

import gdb
from gdb.unwinder import Unwinder

VERSION = 1
SECTION = "goroutines_debug_v1"
MAGIC = b"goroutin"
# Frames that a listing looks through for one of the program itself.
DEPTH = 64
# Ids that a group shows.
SHOWN = 12
# Names of functions that say nothing about the program.
RUNTIME = re.compile(r"<*(&mut |&|\(|dyn )*(goroutines(_\w+)?|core|std|alloc)::")

# What a symbol has behind the name.
HASH = re.compile(r"::h[0-9a-f]{16}$")


class Trouble(gdb.GdbError):
    """Printed by gdb without a trace of this script."""


def at(address, size):
    try:
        return gdb.selected_inferior().read_memory(address, size).tobytes()
    except gdb.MemoryError:
        raise Trouble("goroutines: no memory at %#x: the core file may be without it" % address)


def word(address, size=8):
    return int.from_bytes(at(address, size), "little")


def text(address):
    """The text at the address, up to its NUL."""
    found = b""
    while b"\0" not in found:
        # Up to the end of a page: the next one may not be there.
        found += at(address + len(found), 4096 - (address + len(found)) % 4096)
    return found.split(b"\0")[0].decode(errors="replace")


def address_of_table():
    """Where the section begins. Of two runtimes in one program the first one is shown."""
    sections = gdb.execute("info files", to_string=True)
    found = re.search(r"(0x[0-9a-f]+) - 0x[0-9a-f]+ is %s\b" % SECTION, sections)
    if not found:
        raise Trouble("goroutines: no section `%s`: the program does not use goroutines" % SECTION)
    return int(found.group(1), 16)


class Table:
    """The table of the program. Its words have names, which it tells itself."""

    def __init__(self):
        try:
            gdb.selected_frame()
        except gdb.error:
            raise Trouble("goroutines: no process and no core file")
        address = address_of_table()
        if at(address, 8) != MAGIC:
            raise Trouble("goroutines: no table in this core, or the program has not come to `main`")
        version = word(address + 8, 4)
        if version != VERSION:
            raise Trouble(
                "goroutines: this script reads version %d of the table, and the program has version %d: "
                "use the script of the program's version" % (VERSION, version)
            )
        names = text(word(address + 16)).split()
        for place, name in enumerate(names):
            setattr(self, name, word(address + 24 + 8 * place))
        self.reasons = text(self.reasons).split(",")
        self.statuses = text(self.statuses).split(",")

    def goroutines(self):
        """All that have not ended, by their numbers."""
        found = []
        chunk = self.chunks
        while chunk:
            chunk, gs, count = (word(chunk + 8 * i) for i in range(3))
            memory = at(gs, count * self.g_size)
            for i in range(count):
                g = Goroutine(self, gs + i * self.g_size, memory[i * self.g_size : (i + 1) * self.g_size])
                if g.id and g.status != "dead":
                    found.append(g)
        return sorted(found, key=lambda g: g.id)


class Goroutine:
    def __init__(self, table, address, memory):
        def field(offset, size=8):
            return int.from_bytes(memory[offset : offset + size], "little")

        self.table = table
        self.address = address
        self.id = field(table.g_id)
        self.context = field(table.g_ctx)
        status = field(table.g_status, 4)
        self.status = table.statuses[status & 0xFF] if status & 0xFF < len(table.statuses) else "?"
        reason = status >> 8 & 0xFF
        self.reason = table.reasons[reason - 1] if 0 < reason <= len(table.reasons) else None
        self.wait_on = field(table.g_wait_on) if reason else 0
        self.last = field(table.g_last)
        self.window = field(table.g_window)
        self.image = field(table.g_image)
        self.identity = field(table.g_identity)
        self.segment = field(table.g_segments)

    def name(self):
        """The name, in quotes and after a space, if there is one."""
        if not self.identity:
            return ""
        start, length = word(self.identity + self.table.identity_name), word(self.identity + self.table.identity_name + 8)
        return ' "%s"' % at(start, length).decode(errors="replace") if start else ""

    def state(self):
        if not self.reason:
            return self.status
        where = " %#x" % self.wait_on if self.wait_on else ""
        kept = ", keeps its thread" if self.status == "blocked" else ""
        return self.reason + where + kept

    def is_parked(self):
        """Its stack is still, and its context says where it resumes."""
        return self.status in ("waiting", "runnable") and self.context != 0

    def is_copied_out(self):
        if not self.window or not self.is_parked():
            return False
        return word(self.window + self.table.window_resident) != self.address

    def thread(self):
        """The thread that runs it, or none."""
        m = self.last & ~self.table.m_tags
        if not m or word(m + self.table.m_current) != self.address:
            return None
        number = word(m + self.table.m_thread, 4)
        for thread in gdb.selected_inferior().threads():
            if number in thread.ptid[1:]:
                return thread
        return None

    def pieces(self):
        """The contexts from which its frames are found: its own, and those below its segments, the youngest first."""
        contexts = [self.context]
        segment = self.segment
        while segment and not segment & 1:
            contexts.append(word(segment + self.table.segment_back))
            segment = word(segment + self.table.segment_prev)
        return contexts

    def image_words(self):
        """The words of its stack, which lies in its image."""
        table = self.table
        top = word(self.window + table.window_stack) & ~table.stack_tags
        below = self.segment and not self.segment & 1
        context = self.pieces()[-1] if below else self.context
        size = top - (context - table.frame_size)
        slot, kind = self.image & ~table.image_tags, self.image & table.image_tags
        memory = at(slot + word(table.image_sizes + 8 * kind) - size, size)
        return [int.from_bytes(memory[i : i + 8], "little") for i in range(0, size, 8)]


class Registers:
    """The names of the registers that a context has saved."""

    def __init__(self, architecture):
        if "x86-64" in architecture:
            self.pc, self.sp, self.fp, self.base = "rip", "rsp", "rbp", "rbx"
        elif "aarch64" in architecture:
            self.pc, self.sp, self.fp, self.base = "pc", "sp", "x29", "x19"
        else:
            raise Trouble("goroutines: no goroutines on the CPU " + architecture)


class Id:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Contexts(Unwinder):
    """Makes a context the caller of the innermost frame of the selected thread."""

    def __init__(self):
        super().__init__("goroutines")
        self.leave()

    def enter(self, table, context):
        """From here on the frames of the selected thread are those of the context."""
        self.leave()
        innermost = gdb.newest_frame()
        registers = Registers(innermost.architecture().name())
        self.here = (int(innermost.read_register(registers.sp)), int(innermost.read_register(registers.pc)))
        self.registers, self.table, self.context = registers, table, context
        gdb.invalidate_cached_frames()

    def leave(self):
        self.context = 0
        self.here = None
        gdb.invalidate_cached_frames()

    def stands_in(self, frame):
        """Whether this is the frame whose caller the context is."""
        if not self.context:
            return False
        registers = self.registers
        return (int(frame.read_register(registers.sp)), int(frame.read_register(registers.pc))) == self.here

    def __call__(self, frame):
        if not self.stands_in(frame):
            return None
        registers, table = self.registers, self.table
        pc = frame.read_register(registers.pc)
        frame_start = self.context - table.frame_size
        # Not above the caller's: gdb demands that.
        unwound = frame.create_unwind_info(Id(gdb.Value(self.context - table.frame_size), pc))
        for register, value in (
            (registers.pc, word(frame_start + table.frame_ip)),
            (registers.fp, word(frame_start + table.frame_fp)),
            (registers.base, word(frame_start + table.frame_base)),
            (registers.sp, self.context),
        ):
            kind = frame.read_register(register).type
            unwound.add_saved_register(register, gdb.Value(value.to_bytes(8, "little"), kind))
        return unwound


class HideInnermost:
    """Leaves frame 0 out of backtraces while a goroutine is entered: it is the selected thread's."""

    def __init__(self):
        self.name, self.priority, self.enabled = "goroutines", 100, True
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        first = next(frames, None)
        if first is None or contexts.stands_in(first.inferior_frame()):
            return frames
        return itertools.chain([first], frames)


contexts = Contexts()
gdb.unwinder.register_unwinder(None, contexts, replace=True)
HideInnermost()
# The goroutine that commands are run in until `goroutine off`.
selected = None


def leave():
    """Back to the selected thread as it is."""
    global selected
    selected = None
    contexts.leave()


class Unselected:
    """No goroutine is selected, for the time of a `with`."""

    def __enter__(self):
        self.before = selected
        leave()
        return self.before

    def __exit__(self, *_):
        if self.before:
            enter_for_good(self.before)


def enter_for_good(goroutine):
    global selected
    contexts.enter(goroutine.table, goroutine.context)
    selected = goroutine
    gdb.newest_frame().older().select()


def on_resume(_):
    leave()


gdb.events.cont.connect(on_resume)
gdb.events.exited.connect(on_resume)


class Entered:
    """The frames of a context, for the time of a `with`."""

    def __init__(self, table, context):
        self.table, self.context = table, context

    def __enter__(self):
        contexts.enter(self.table, self.context)
        frame = gdb.newest_frame().older()
        if frame is None or not frame.is_valid():
            contexts.leave()
            raise Trouble("goroutines: no frame at the context %#x" % self.context)
        frame.select()
        return frame

    def __exit__(self, *_):
        contexts.leave()
        gdb.newest_frame().select()


def frames(goroutine):
    """(pc, name, file:line) of each frame of a parked goroutine, the innermost first; at most DEPTH."""
    found, left = [], goroutine.pieces()
    while left and len(found) < DEPTH:
        context = left.pop(0)
        with Entered(goroutine.table, context) as frame:
            registers = contexts.registers
            while frame is not None and len(found) < DEPTH:
                place = frame.find_sal()
                line = "%s:%d" % (place.symtab.filename, place.line) if place.symtab else ""
                found.append((frame.pc(), frame.name() or "??", line))
                sp = int(frame.read_register(registers.sp))
                # gdb has gone on below the segment by itself.
                left = [context for context in left if context != sp]
                frame = frame.older()
    return found


def symbol(pc):
    """The name of the function whose code is at the address; or nothing."""
    text = gdb.execute("info symbol %#x" % pc, to_string=True).split(" in section ")[0].split(" + ")[0]
    return "" if text.startswith("No symbol") else text.strip()


def place(found):
    """The first frame that is not the runtime's."""
    for i, (pc, name, line) in enumerate(found):
        has_path = "::" in name.split("<")[0]
        if not has_path and i + 1 < len(found) and found[i + 1][0] == pc:
            continue  # inlined, and only lines are known
        # Where only lines are known, names have no path; symbols have it.
        name = HASH.sub("", name if has_path else symbol(pc) or name)
        if not RUNTIME.match(name):
            return name + (" (%s)" % line if line else "")
    return found[0][1] if found else ""


def look(goroutine):
    """The frames of a goroutine, as far as it has frames that stand still."""
    return frames(goroutine) if goroutine.is_parked() and not goroutine.is_copied_out() else []


def said(goroutine, found):
    """What a listing says of where it is."""
    if found:
        return place(found)
    if goroutine.is_copied_out():
        return "(its stack is copied out)"
    if goroutine.status == "fresh":
        return "(has not run yet)"
    thread = goroutine.thread()
    return "(thread %d)" % thread.num if thread else "(on no thread)"


class InfoGoroutines(gdb.Command):
    """List the goroutines of the program: number, name, what it waits for, and where.
Usage: info goroutines [-group]

With -group, those with the same state and the same stack are shown as one, with a backtrace."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        if argument not in ("", "-group"):
            raise Trouble("info goroutines: `%s` is no option: say -group, or nothing" % argument)
        with Unselected() as before:
            all_of_them = Table().goroutines()
            print("%d goroutines" % len(all_of_them))
            if argument:
                return self.groups(all_of_them)
            for g in all_of_them:
                mark = "*" if before and g.id == before.id else " "
                print("%s %6d%s [%s] %s" % (mark, g.id, g.name(), g.state(), said(g, look(g))))

    def groups(self, all_of_them):
        groups = {}
        for g in all_of_them:
            found = look(g)
            alike = tuple(pc for pc, _, _ in found) or said(g, found)
            groups.setdefault((g.status, g.reason, alike), ([], found))[0].append(g)
        for (status, reason, _), (members, found) in sorted(groups.items(), key=lambda group: -len(group[1][0])):
            ids = " ".join(str(g.id) for g in members[:SHOWN]) + (" ..." if len(members) > SHOWN else "")
            print("%d [%s]: %s" % (len(members), reason or status, ids))
            for _, name, line in found:
                print("    %s%s" % (name, " at " + line if line else ""))
            if not found:
                print("    " + said(members[0], found))


def run_in(goroutine, command, with_head):
    """Runs the command in the frames of the goroutine."""
    if with_head:
        print("goroutine %d%s [%s]" % (goroutine.id, goroutine.name(), goroutine.state()))
    if goroutine.status == "fresh":
        print("(has not run yet)")
    elif goroutine.is_copied_out():
        candidates(goroutine)
    elif goroutine.is_parked():
        run_in_pieces(goroutine, command)
    else:
        run_in_thread(goroutine, command)


def run_in_pieces(goroutine, command):
    left = goroutine.pieces()
    while left:
        context = left.pop(0)
        with Entered(goroutine.table, context):
            gdb.execute(command)
            # What gdb has reached by itself.
            frame, registers = gdb.newest_frame().older(), contexts.registers
            while frame is not None and left:
                sp = int(frame.read_register(registers.sp))
                left = [context for context in left if context != sp]
                frame = frame.older()
        if left:
            print("(below the segment)")


def run_in_thread(goroutine, command):
    thread = goroutine.thread()
    if thread is None:
        print("(no thread runs it, and it has saved no context: it is on its way between the two)")
        return
    before = gdb.selected_thread()
    thread.switch()
    try:
        print("(on thread %d)" % thread.num)
        gdb.execute(command)
    finally:
        before.switch()


def candidates(goroutine):
    """The words of a copied-out stack that point behind a call: return addresses, and some that only look like one."""
    print("(image: candidates)")
    for value in goroutine.image_words():
        symbol = gdb.execute("info symbol %#x" % value, to_string=True)
        if symbol.startswith("No symbol") or " in section .text" not in symbol:
            continue
        name = symbol.split(" in section ")[0]
        line = gdb.find_pc_line(value - 1)
        where = " at %s:%d" % (line.symtab.filename, line.line) if line.symtab else ""
        if is_behind_call(value):
            print("    %#x %s%s" % (value, name, where))


def is_behind_call(address):
    """Whether the instruction that ends at the address is a call; on a CPU whose instructions have one length."""
    try:
        if "aarch64" in gdb.selected_frame().architecture().name():
            code = word(address - 4, 4)
            return code >> 26 == 0x25 or code & 0xFFFFFC1F == 0xD63F0000
        code = at(address - 7, 7)
    except gdb.GdbError:
        return False
    # e8 with four bytes; ff /2 with two to seven.
    return code[2] == 0xE8 or any(code[i] == 0xFF and code[i + 1] >> 3 & 7 == 2 for i in range(6))


class GoroutineCommand(gdb.Command):
    """Run a command in the frames of a goroutine, or select a goroutine.
Usage: goroutine N COMMAND
       goroutine all COMMAND
       goroutine N
       goroutine off

N is the number that `info goroutines` shows. The frames of a goroutine that is parked begin with number 1: `goroutine 7 bt`.
After `goroutine N` the commands of gdb (bt, up, frame, info locals) see the frames of that goroutine, until
`goroutine off`, or until the program runs on. Nothing is written to the process or core file."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        if not words:
            raise Trouble("goroutine: say which: a number, `all`, or `off`")
        which, command = words[0], words[1] if len(words) > 1 else None
        if which == "off":
            leave()
            gdb.newest_frame().select()
            return
        if command is None:
            if which == "all":
                raise Trouble("goroutine all: say a command, such as bt")
            return select(find(which))
        with Unselected():
            if which != "all":
                return run_in(find(which), command, False)
            for g in Table().goroutines():
                run_in(g, command, True)
                print()


def find(which):
    try:
        number = int(which, 0)
    except ValueError:
        raise Trouble("goroutine: `%s` is no number of a goroutine, nor `all` or `off`" % which)
    for g in Table().goroutines():
        if number in (g.id, g.address):
            return g
    raise Trouble("goroutine: no goroutine %d: `info goroutines` lists them" % number)


def select(goroutine):
    if not goroutine.is_parked() or goroutine.is_copied_out():
        raise Trouble(
            "goroutine: goroutine %d is not parked on a stack of its own: use `goroutine %d bt`" % (goroutine.id, goroutine.id)
        )
    enter_for_good(goroutine)
    print("goroutine %d%s [%s]" % (goroutine.id, goroutine.name(), goroutine.state()))
    gdb.execute("frame")


InfoGoroutines()
GoroutineCommand()

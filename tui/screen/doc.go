/*
Package screen sends to the terminal only what has changed on it.

bubbletea's renderer compares rows and writes every changed row in full: a log
line that scrolls in rewrites the log pane, a counter rewrites its row. On a
slow line that is what makes a screen crawl. Writer sits between that renderer
and the terminal. The model hands each frame to Show; when the renderer writes
a frame, Writer writes the difference between what the terminal shows and the
newest frame instead: rows that moved are moved by the terminal (delete or
insert lines in a scroll region), and of the other rows only the cells that
changed are written. All else that the renderer writes passes through.

When frames are written is the renderer's business: its frame rate holds, and
nothing is written while nothing changes.

The sequences are those of the VT102: CUP, CUF, EL, ED, DECSTBM, IL, DL, SGR.
Cells are addressed by column, so widths must be known: a row with characters
other than ASCII and the line-drawing signs of package styles is written in full.
*/
package screen

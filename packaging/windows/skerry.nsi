; SPDX-License-Identifier: Apache-2.0
;
; The installer for Windows, made on Linux: makensis -DVERSION=… -DFILES=DIRECTORY -DOUT=FILE.exe (scripts/windows package).
; For all users: programs below Program Files, their directory in the machine's PATH, an entry among the installed
; programs. Silent: setup.exe /S [/D=C:\DIRECTORY]. Images and volumes of users stay when it is removed.
Target amd64-unicode
SetCompressor /SOLID lzma
Name "Skerry ${VERSION}"
OutFile "${OUT}"
InstallDir "$PROGRAMFILES64\Skerry"
RequestExecutionLevel admin
ManifestSupportedOS all
ManifestLongPathAware true
XPStyle on
ShowInstDetails show
LicenseData "${FILES}/LICENSE.txt"

!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Skerry"

Page license
Page directory
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

Function .onInit
	SetRegView 64
FunctionEnd

Function un.onInit
	SetRegView 64
FunctionEnd

Section "Skerry"
	SetShellVarContext all
	SetOutPath "$INSTDIR"
	File /r "${FILES}/*"
	WriteUninstaller "$INSTDIR\uninstall.exe"
	WriteRegStr HKLM "${KEY}" "DisplayName" "Skerry"
	WriteRegStr HKLM "${KEY}" "DisplayVersion" "${VERSION}"
	WriteRegStr HKLM "${KEY}" "Publisher" "Skerry"
	WriteRegStr HKLM "${KEY}" "InstallLocation" "$INSTDIR"
	WriteRegStr HKLM "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
	WriteRegStr HKLM "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
	WriteRegDWORD HKLM "${KEY}" "NoModify" 1
	WriteRegDWORD HKLM "${KEY}" "NoRepair" 1
	; Not by NSIS itself: its texts end after 1024 characters, and so would the PATH.
	ExecWait '"$INSTDIR\skerry-path.exe" add "$INSTDIR"' $0
	IntCmp $0 0 done
	DetailPrint "The PATH could not be changed: add $INSTDIR to it yourself."
done:
SectionEnd

Section "Uninstall"
	SetShellVarContext all
	ExecWait '"$INSTDIR\skerry-path.exe" remove "$INSTDIR"'
!include "${LIST}"
	Delete "$INSTDIR\uninstall.exe"
	RMDir "$INSTDIR"
	DeleteRegKey HKLM "${KEY}"
SectionEnd
